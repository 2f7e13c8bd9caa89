"""`python -m evals.dryrun KIND CONFIG [--json]`: what a job of many matches would ask of players behind APIs.

CONFIG is the job's configuration as JSON. Nothing is started or written, and no key is needed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from arena.config.base import validate
from arena.config.checks import check_games, check_players
from arena.config.prices import check_prices, is_api, read_prices
from arena.config.tournament import PairsConfig, TournamentConfig
from arena.core.errors import UsageError
from arena.core.ledger import price_of
from arena.core.program import run_program
from arena.core.registry import GameSpec, load_part
from arena.core.sanitise import one_line
from evals import ground_truth
from evals.forecast import (
    ASSUMPTIONS,
    Asking,
    Use,
    limit_rows,
    limit_words,
    random_matches,
    read_api,
    total_words,
    use_words,
)

SCHEMA = 1


class Planned(NamedTuple):
    """What a job has to play."""

    matches: int
    pairs: Counter[tuple[str, str]]
    """Pairs that each player plays in each game, by game and player."""
    at_most: bool
    """Whether it may be less: an SPRT may end early, and in a Swiss tournament somebody may sit out."""


class Asked(NamedTuple):
    """What a player behind an API is asked for."""

    matches: int
    played: Use
    measured: Use
    """Against the exact solutions of games."""


def forecast(suite: ModuleType, config: PairsConfig) -> dict[str, Any]:
    """Matches of the job, and requests, tokens and cost of each player behind an API; JSON.

    Raises UsageError for what the job would refuse too, but for a key that is missing.
    """
    games = check_games(config.games)
    _check(config, games)
    planned = planned_matches(suite, config)
    turns, asked = _ask(config, games, planned)
    check_prices(config.prices, config.max_cost, asked)
    prices = read_prices(config.prices)
    total = {name: one.played + one.measured for name, one in asked.items()}
    rows = []
    for name, one in asked.items():
        price = price_of(prices, name)
        parts = {"played": one.played.priced(price), "ground_truth": one.measured.priced(price)}
        rows.append({"player": name, "matches": one.matches, **total[name].priced(price), **parts})
    return {
        "schema": SCHEMA,
        "kind": config.kind,
        "matches": planned.matches,
        "at_most": planned.at_most,
        "games": turns,
        "apis": rows,
        "api_limits": limit_rows(config, total),
        "assumptions": list(ASSUMPTIONS) if rows else [],
    }


def planned_matches(suite: ModuleType, config: PairsConfig) -> Planned:
    """How much the suite's own schedule has. Raises UsageError for openings that a game cannot have."""
    pairs: Counter[tuple[str, str]] = Counter()
    at_most = isinstance(config, TournamentConfig) and (config.format == "swiss" or config.sprt is not None)
    if isinstance(config, TournamentConfig) and config.format == "swiss":
        for game in config.games:
            pairs.update({(game, player): config.round_count * config.pairs for player in config.players})
        return Planned(config.planned, pairs, at_most)
    once = suite.schedule(config.model_copy(update={"pairs": 1}))
    for match in once[::2]:
        pairs.update({(match.game.name, player): config.pairs for player in match.seats})
    return Planned(len(once) * config.pairs, pairs, at_most)


def _check(config: PairsConfig, games: Sequence[GameSpec]) -> None:
    check_players([name for name in config.entrants if not is_api(name)], games, online=False)
    if isinstance(config, TournamentConfig) and config.drawn_openings is not None:
        for game in games:
            config.drawn_openings.check(game)


def _ask(
    config: PairsConfig, games: Sequence[GameSpec], planned: Planned
) -> tuple[dict[str, dict[str, float]], dict[str, Asked]]:
    """The turns of a match in each game, and what each player behind an API is asked for."""
    openings = config.drawn_openings if isinstance(config, TournamentConfig) else None
    measures = bool(getattr(config, "ground_truth", False))
    apis = {player: read_api(player) for _, player in planned.pairs if is_api(player)}
    turns, asked = {}, dict.fromkeys(apis, Asked(0, Use(), Use()))
    for game in games:
        matches = random_matches(game, openings)
        turns[game.name] = {"turns": sum(map(len, matches)) / len(matches)}
        for name, settings in apis.items():
            asking, pairs = Asking.of(settings, game, matches), planned.pairs[game.name, name]
            measured = asking.requests(ground_truth.replies_needed(game) if measures else 0)
            # In the two matches of a pair it has either seat once.
            played = asking.requests(pairs * asking.turns)
            before = asked[name]
            asked[name] = Asked(before.matches + 2 * pairs, before.played + played, before.measured + measured)
    return turns, asked


def forecast_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What `forecast` gives, as text."""
    yield f"Dry run: {found['kind']}, {found['matches']:,} matches{' at most' * found['at_most']}"
    for game, one in found["games"].items():
        yield f"  {one_line(game):40s} {one['turns']:6.1f} turns a match"
    if not found["apis"]:
        yield "No player is behind an API: nothing is asked of anybody else's server."
        return
    yield "\nPlayers behind APIs, replies at their longest"
    for row in found["apis"]:
        yield f"  {one_line(row['player'])}  {row['matches']:,} matches"
        if row["ground_truth"]["requests"]:
            yield use_words("in matches", row["played"])
            yield use_words("ground truth", row["ground_truth"])
        yield use_words("in all", row)
    yield from total_words(found["apis"])
    for row in found["api_limits"]:
        share = row["most"] / row["needed"] if row["needed"] else 1.0
        words = f"about {share:.0%}" if share >= 0.01 else "less than 1%"
        yield from limit_words(row, f"after {words} of that", "what is open then waits for --resume")
    yield "\nAssumed"
    yield from (f"  {line}" for line in found["assumptions"])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the forecast; returns the exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m evals.dryrun", description=__doc__)
    parser.add_argument("kind", choices=("tournament", "head-to-head", "ood"))
    parser.add_argument("config", help="the job's configuration as JSON")
    parser.add_argument("--json", action="store_true")
    return run_program(lambda: _main(parser.parse_args(argv)))


def _main(args: argparse.Namespace) -> int:
    suite = load_part("evals.suites", "kind of job", args.kind.replace("-", "_"))
    try:
        data = json.loads(args.config)
    except ValueError as error:
        raise UsageError("The configuration is no JSON.") from error
    found = forecast(suite, validate(suite.CONFIG, data, args.kind))
    print(json.dumps(found, indent=2) if args.json else "\n".join(forecast_lines(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
