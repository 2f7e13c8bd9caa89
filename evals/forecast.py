"""What players behind APIs will be asked for and cost, found out before anything is asked: lengths of random matches.

Replies are counted at their longest, prompts by their letters. No key is needed, and nothing is sent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from arena.config.limits import LimitsConfig
from arena.config.prices import read_prices
from arena.core.errors import UsageError
from arena.core.game import Illegal, State
from arena.core.ledger import Price, price_of
from arena.core.match import make_view
from arena.core.opening import Openings, position_after
from arena.core.registry import GameSpec, PlayerSpec, load_player, player_module
from arena.players._api.endpoint import read_target
from arena.players._api.messages import build_messages
from arena.players._api.settings import Settings, read_settings

MATCHES = 8
"""Random matches a game from which lengths are measured."""
LETTERS = 4.0
"""Letters a token of English text, where no tokenizer is there to count."""
ASSUMPTIONS = (
    f"Players behind APIs: prompts at {LETTERS:g} letters a token; matches as long as {MATCHES} random ones a game.",
    "Their replies are as long as max_tokens of the spec allows (8,192 unless it says); typical ones are shorter.",
    "Requests tried again, illegal replies and replayed matches come on top. The time that APIs take is not known.",
)

Prices = Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class Use:
    """What a player is asked for."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """At most."""

    def __add__(self, other: Use) -> Use:
        return Use(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def __mul__(self, times: int) -> Use:
        return Use(self.requests * times, self.prompt_tokens * times, self.completion_tokens * times)

    def priced(self, price: Price | None) -> dict[str, Any]:
        """As JSON; the cost is None where no price is known."""
        cost = None if price is None else price.of(self.prompt_tokens, self.completion_tokens)
        return asdict(self) | {"cost": cost}


def random_matches(game: GameSpec, openings: Openings | None = None) -> list[list[State]]:
    """The positions of a few random matches in which a seat is to act.

    Raises UsageError where no valid move can be named, or for openings that the game cannot have.
    """
    if not game.game.INFO.samples:
        raise UsageError(f"How long {game.name} is cannot be told: no valid move of it can be named.")
    return [list(_random_match(game, key, openings)) for key in range(MATCHES)]


def _random_match(game: GameSpec, key: int, openings: Openings | None) -> Iterator[State]:
    state = game.new(key) if openings is None else position_after(game, key, openings.draw(game, key))
    rng = random.Random(key)
    while state.to_act is not None:
        yield state
        action = state.parse(state.sample(rng))
        if isinstance(action, Illegal):
            return
        state = state.apply(action)


@dataclass(frozen=True, slots=True)
class Asking:
    """How a player behind an API asks in one game."""

    turns: float
    """Turns a match, of both seats."""
    prompt: float
    """Tokens a prompt, in the mean."""
    reply: int
    """Most tokens of a reply."""

    @classmethod
    def of(cls, settings: Settings, game: GameSpec, matches: Sequence[Sequence[State]]) -> Asking:
        """Measured on `random_matches` of the game, in the player's own style."""
        player = load_player("random")
        views = [make_view(game, state, player, 0) for match in matches for state in match]
        letters = sum(len(message["content"]) for view in views for message in build_messages(settings.style, view))
        return cls(len(views) / len(matches), letters / LETTERS / max(len(views), 1), settings.max_tokens)

    def requests(self, count: float) -> Use:
        """So many requests, to the next whole one."""
        whole = round(count)
        return Use(whole, round(whole * self.prompt), whole * self.reply)


def read_api(player: str) -> Settings:
    """How a player behind an API asks, without its key. Raises UsageError for what its spec gets wrong."""
    spec = PlayerSpec.parse(player)
    provider = player_module(spec.backend).PROVIDER
    read_target(spec.target, provider.base_url, provider.syntax)
    return read_settings(spec.options)


def amount(limit: str, uses: Mapping[str, Use], prices: Prices) -> float:
    """What players take of a limit, `max_tokens` or `max_cost`, all together; of the cost, those with a price."""
    if limit == "max_tokens":
        return sum(use.prompt_tokens + use.completion_tokens for use in uses.values())
    found = ((price_of(prices, player), use) for player, use in uses.items())
    return sum(price.of(use.prompt_tokens, use.completion_tokens) for price, use in found if price is not None)


def limit_rows(limits: LimitsConfig, uses: Mapping[str, Use]) -> list[dict[str, Any]]:
    """The list `api_limits` of a dry run: a line for each limit that is set.

    `reply_share`: how long replies may be in the mean, as a share of their longest, for the limit to be enough; None
    where prompts alone pass it. Raises UsageError for prices that cannot be read.
    """
    prices = read_prices(limits.prices)
    silent = {player: replace(use, completion_tokens=0) for player, use in uses.items()}
    rows = []
    for limit in ("max_tokens", "max_cost"):
        most = getattr(limits, limit)
        if most is None or not uses:
            continue
        needed, least = amount(limit, uses, prices), amount(limit, silent, prices)
        share = 1.0 if needed <= most else (most - least) / (needed - least) if least <= most else None
        rows.append({"limit": limit, "most": most, "needed": needed, "reached": needed > most, "reply_share": share})
    return rows


def use_words(label: str, row: Mapping[str, Any]) -> str:
    """One line of a table: requests, tokens and cost."""
    tokens = f"{row['prompt_tokens']:>13,} prompt + {row['completion_tokens']:>14,} reply tokens"
    return f"    {label:14s}{row['requests']:>10,} requests: {tokens}, {cost_words(row['cost'])}"


def cost_words(cost: float | None) -> str:
    return "no price is known" if cost is None else f"cost {cost:,.4f}"


def total_words(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for all players together, where there are several; and how to get a cost, where one is missing."""
    fields = ("requests", "prompt_tokens", "completion_tokens")
    known = [row["cost"] for row in rows if row["cost"] is not None]
    total = {name: sum(row[name] for row in rows) for name in fields}
    total["cost"] = sum(known) if len(known) == len(rows) else None
    lines = ["  all together", use_words("in all", total)] if len(rows) > 1 else []
    if len(known) < len(rows):
        lines.append("  For a cost, write the price of each in the file of --prices.")
    return lines


def limit_words(row: Mapping[str, Any], when: str, then: str) -> list[str]:
    """Whether a limit is enough: where not, `when` it would be reached, what happens `then`, and what would do."""
    money = row["limit"] == "max_cost"
    name = f"The limit of {row['most']:,.2f} in money" if money else f"The limit of {row['most']:,} tokens"
    if not row["reached"]:
        return [f"  {name} is not reached."]
    share = row["reply_share"]
    enough = f"replies of {share:.0%} of their longest in the mean" if share is not None else ""
    return [
        f"  {name} is reached {when}: {then}.",
        f"  It is enough for {enough}." if enough else "  The prompts alone pass it.",
    ]
