"""What the form of a tournament takes beyond players, games and numbers: openings, a sequential test, ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from arena.config.base import problems
from arena.config.checks import solved_games
from arena.config.tournament import SprtConfig
from arena.core.errors import ArenaError
from arena.core.opening import Openings
from arena.core.registry import GameSpec

YES = "yes"
NO = "no"
HYPOTHESES = ("elo0", "elo1")
"""Fields without which there is no test."""
RATES = ("alpha", "beta")
OPENINGS, BALANCED, TEST, GROUND_TRUTH = "openings", "balanced", "sprt", "ground_truth"


def fitting(format: str, players: Sequence[str], games: Sequence[GameSpec], apis: Sequence[str]) -> frozenset[str]:
    """Which of openings, balanced ones, a test and ground truth make sense."""
    played = {game.game.INFO.id for game in games}
    solved = set(solved_games())
    found = set()
    if games and not any(_why_not(game.name, Openings(1)) for game in games):
        found |= {OPENINGS, BALANCED} if played <= solved else {OPENINGS}
    if (len(players), len(games), format) == (2, 1, "round-robin"):
        found.add(TEST)
    if apis and played & solved:
        found.add(GROUND_TRUTH)
    return frozenset(found)


@lru_cache(maxsize=256)
def _why_not(game: str, openings: Openings) -> str:
    """What keeps a game from such openings; takes a while where they are sought in vain."""
    try:
        openings.check(GameSpec.parse(game))
    except ArenaError as error:
        return error.message
    return ""


def read_openings(text: str, balanced: bool, games: Sequence[GameSpec]) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration's `openings`, where there are any, and what is wrong with them by field."""
    if not text.strip():
        return {}, {OPENINGS: "After how many plies?"} if balanced else {}
    try:
        openings = Openings(int(text), balanced)
    except ValueError:
        return {}, {OPENINGS: "A whole number of plies, such as 4."}
    if openings.plies < 1:
        return {}, {OPENINGS: "At least 1."}
    for game in games:
        if why := _why_not(game.name, openings):
            return {}, {OPENINGS: why}
    return {"openings": {"plies": openings.plies, "balanced": balanced}}, {}


def read_test(texts: Mapping[str, str], fits: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration's `sprt`, where a hypothesis is filled in, and what is wrong with it by field."""
    given = {name: texts[name].strip() for name in (*HYPOTHESES, *RATES) if texts[name].strip()}
    if not given.keys() & set(HYPOTHESES):
        return {}, {}
    values: dict[str, float] = {}
    errors = {name: "The test needs it too." for name in HYPOTHESES if name not in given}
    for name, text in given.items():
        try:
            values[name] = float(text.replace(",", "."))
        except ValueError:
            errors[name] = f"A number, such as {0.05 if name in RATES else 20}."
    if not errors:
        for problem in problems(SprtConfig, values):
            errors.setdefault(str(next(iter(problem.key), HYPOTHESES[-1])), problem.words)
    if not errors and not fits:
        errors[HYPOTHESES[0]] = "A test is between two players in one game."
    return ({}, errors) if errors else ({"sprt": values}, {})
