"""Which plots a training's stored figures make: known ones first in the order of what they tell, others by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from arena.tui.curves import Limits, Series


class Key(NamedTuple):
    """What a course of figures is about."""

    name: str
    game: str
    role: str
    opponent: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot. `id` stays the same while the plot's lines grow."""

    id: str
    title: str
    series: tuple[Series, ...]
    limits: Limits = (None, None)


class _Known(NamedTuple):
    """A plot that we know: its title, and the metrics in it with what they are called there."""

    title: str
    names: Mapping[str, str]
    limits: Limits = (None, None)


def _one(name: str, title: str, limits: Limits = (None, None)) -> _Known:
    return _Known(title, {name: ""}, limits)


_FROM_ZERO: Limits = (0.0, None)
_KNOWN = (
    _one("score", "score"),
    _one("optimal_move_rate", "optimal moves"),
    _one("exploitability", "exploitability", _FROM_ZERO),
    _one("value_loss", "value loss", _FROM_ZERO),
    _one("loss", "loss", _FROM_ZERO),
    _one("entropy", "entropy", _FROM_ZERO),
    _one("thought_tokens", "thought tokens"),
    _one("forfeit_rate", "forfeits", _FROM_ZERO),
    _one("self_play_draw_rate", "draws in self-play", _FROM_ZERO),
    _Known("KL", {"old_kl": "old", "magnet_kl": "magnet", "anchor_kl": "anchor"}),
    _one("gradient_norm", "gradient norm", _FROM_ZERO),
    _one("baseline", "baseline"),
    _one("return", "return"),
    _one("training_score", "score in training"),
    _one("blunder_rate", "blunders", _FROM_ZERO),
    _one("eval_forfeit_rate", "forfeits in evaluation", _FROM_ZERO),
    _one("draw_rate", "draws in evaluation", _FROM_ZERO),
    _one("role_value_loss", "value head loss", _FROM_ZERO),
    _one("explained_variance", "explained variance"),
    _one("policy_loss", "policy loss"),
    _one("opponent_forfeit_rate", "forfeits of opponents", _FROM_ZERO),
    _one("turns_per_match", "turns a match"),
    _one("distinct_matches", "distinct matches"),
    _one("learning_rate", "learning rate", _FROM_ZERO),
)
_PHASE = "seconds_"
_PHASES = "seconds a step"


def charts(courses: Mapping[Key, Series], games: Sequence[str] = ()) -> tuple[Chart, ...]:
    """The plots of all courses; `games` is the order of the games.

    A metric that is told apart by opponent or role has one plot a game, with a line for each; any other has one
    plot, with a line for each game. What is not known has a plot under its own name, after those that are.
    """
    names = list(dict.fromkeys(key.name for key in courses))
    known = {name for plot in _KNOWN for name in plot.names}
    others = sorted(name for name in names if name not in known and not name.startswith(_PHASE))
    plots = [*_KNOWN, *(_one(name, name.replace("_", " ")) for name in others), _phases(names)]
    order = {game: place for place, game in enumerate(games)}
    found: list[Chart] = []
    for plot in plots:
        members = [key for name in plot.names for key in courses if key.name == name]
        members.sort(key=lambda key: order.get(key.game, len(order)))
        found += _charts(plot, members, courses)
    return tuple(found)


def _phases(names: Iterable[str]) -> _Known:
    return _Known(_PHASES, {name: name.removeprefix(_PHASE) for name in names if name.startswith(_PHASE)}, _FROM_ZERO)


def _charts(plot: _Known, members: Sequence[Key], courses: Mapping[Key, Series]) -> list[Chart]:
    short = short_names(key.game for key in members)
    split = any(key.opponent or key.role for key in members)
    groups: dict[str, list[Key]] = {}
    for key in members:
        groups.setdefault(key.game if split else "", []).append(key)
    found = []
    for game, keys in groups.items():
        lines = []
        for key in keys:
            parts = [plot.names[key.name], key.opponent, f"role {key.role}" if key.role else ""]
            parts += [] if split else [short[key.game]]
            name = " ".join(part for part in parts if part)
            lines.append(replace(courses[key], name=name))
        title = f"{plot.title} · {short[game]}" if game else plot.title
        if len(lines) == 1 and lines[0].name:
            title = f"{title} · {lines[0].name}"
        found.append(Chart(f"{next(iter(plot.names))} {game}", title, tuple(lines), plot.limits))
    return found


def ordered(keys: Iterable[Key], games: Sequence[str] = ()) -> list[Key]:
    """Courses as their plots are: by what they tell, then by game."""
    known = {name: place for place, name in enumerate(name for plot in _KNOWN for name in plot.names)}
    order = {game: place for place, game in enumerate(games)}
    return sorted(keys, key=lambda key: (known.get(key.name, len(known)), order.get(key.game, len(order))))


def short_names(games: Iterable[str]) -> dict[str, str]:
    """Games without their variants, where that tells them apart."""
    whole = list(dict.fromkeys(games))
    heads = [game.partition("?")[0] for game in whole]
    return {game: head if heads.count(head) == 1 else game for game, head in zip(whole, heads, strict=True)}
