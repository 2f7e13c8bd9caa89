"""What a training will ask of players behind APIs: as its fixed opponent, and as opponents of its evaluations."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arena.config.prices import check_prices, is_api, read_prices
from arena.config.train import TrainConfig
from arena.core.ledger import price_of
from arena.core.registry import GameSpec
from arena.core.sanitise import one_line
from evals.forecast import (
    Asking,
    Use,
    amount,
    limit_rows,
    limit_words,
    random_matches,
    read_api,
    total_words,
    use_words,
)
from training.rollout import matches_needed


@dataclass(frozen=True, slots=True)
class ApiUse:
    """What one player is asked for."""

    step: Use
    """As the opponent in one step of training."""
    evaluation: Use
    """In one evaluation."""


def evaluations_by(config: TrainConfig, step: int) -> int:
    """How many evaluations a run has held once that step is over; step 0 is the start."""
    every = config.evaluation.every
    at_the_end = step == config.steps and (every == 0 or step % every > 0)
    return (step // every + 1 if every else 0) + at_the_end


def api_uses(config: TrainConfig) -> dict[str, ApiUse]:
    """What each player behind an API is asked for. Raises UsageError for a spec that is wrong."""
    met, fixed = config.evaluation.opponents, fixed_opponent(config)
    players = {name: read_api(name) for name in dict.fromkeys((*fixed, *met)) if is_api(name)}
    uses = dict.fromkeys(players, ApiUse(Use(), Use()))
    for quota in config.games if players else ():
        game = GameSpec.parse(quota.game)
        matches = random_matches(game)
        for name, settings in players.items():
            asking = Asking.of(settings, game, matches)
            # One of two seats is the player's, and the other one's turns make up the quota.
            half = asking.turns / 2
            step = asking.requests((name in fixed) * matches_needed(quota, half) * half)
            evaluation = asking.requests(met.count(name) * 2 * config.evaluation.pairs * half)
            uses[name] = ApiUse(uses[name].step + step, uses[name].evaluation + evaluation)
    return uses


def fixed_opponent(config: TrainConfig) -> tuple[str, ...]:
    """The player that the policy trains against, where it is a fixed one."""
    return (config.opponent.player,) if config.opponent.type == "fixed" else ()


def api_rows(config: TrainConfig) -> dict[str, Any]:
    """The lists `apis` and `api_limits` of a dry run, both empty where no player is behind an API.

    Raises UsageError for a spec or prices that are wrong, or a limited cost without a price.
    """
    uses = api_uses(config)
    check_prices(config.prices, config.max_cost, uses)
    prices = read_prices(config.prices)
    held = evaluations_by(config, config.steps)
    total = {name: use.step * config.steps + use.evaluation * held for name, use in uses.items()}
    apis = []
    for name, use in uses.items():
        price = price_of(prices, name)
        parts = {"step": use.step.priced(price), "evaluation": use.evaluation.priced(price)}
        apis.append({"player": name, **total[name].priced(price), **parts})
    limits = limit_rows(config, total)
    for row in limits:
        row["step"] = _reached(config, uses, row["limit"], row["most"])
    return {"apis": apis, "api_limits": limits}


def _reached(config: TrainConfig, uses: Mapping[str, ApiUse], limit: str, most: float) -> int | None:
    """In which step, or the evaluation after it, so much is spent, step 0 being the start; None where it never is."""
    prices = read_prices(config.prices)
    step = amount(limit, {name: use.step for name, use in uses.items()}, prices)
    evaluation = amount(limit, {name: use.evaluation for name, use in uses.items()}, prices)

    def spent(number: int) -> float:
        return number * step + evaluations_by(config, number) * evaluation

    found = bisect_right(range(config.steps + 1), most, key=spent)
    return found if found <= config.steps else None


def api_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The rows as text, line by line; nothing where no player is behind an API."""
    if not found["apis"]:
        return
    yield "\nPlayers behind APIs, replies at their longest"
    for row in found["apis"]:
        yield f"  {one_line(row['player'])}"
        for part, label in (("step", "a step"), ("evaluation", "an evaluation")):
            if row[part]["requests"]:
                yield use_words(label, row[part])
        yield use_words("in all", row)
    yield from total_words(found["apis"])
    stops = any(row["step"]["requests"] for row in found["apis"])
    then = "the run ends there, saved" if stops else "evaluations lack these players from there on, training goes on"
    for row in found["api_limits"]:
        at = f"at about step {row['step']:,} of {found['steps']:,}" if row["step"] else "in the evaluation of the start"
        yield from limit_words(row, at, then)
