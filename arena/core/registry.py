"""Find games, players and other one-file parts by file name, and import them on use.

There are no lists to keep: `arena/games/NAME.py` is the game NAME. Spec strings add options after "?":
`kuhn_poker?hands=1&payoff=chips`, `ckpt:tiny?temperature=0.5`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import cast
from urllib.parse import parse_qsl

from arena.core.errors import UnknownName, UsageError
from arena.core.game import Game, State, Variant, check_options
from arena.core.player import Player, PlayerInfo
from arena.core.sanitise import is_text

Value = str | int | float | bool


def discover(package: str) -> list[str]:
    """Names of the modules in a package that are parts: all but those that start with an underscore."""
    return list(_parts(package))


@cache
def _parts(package: str) -> tuple[str, ...]:
    """`discover`, once a process: some players ask for it every turn."""
    paths = importlib.import_module(package).__path__
    return tuple(sorted(module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_")))


def load_part(package: str, kind: str, name: str) -> ModuleType:
    """Import part `name` of `package`; raises UnknownName with the nearest names."""
    if name not in _parts(package):
        raise UnknownName(kind, name, _parts(package))
    return importlib.import_module(f"{package}.{name}")


def parse_value(text: str) -> Value:
    """Read `7` as an int, `0.5` as a float, `true` as a bool, anything else as the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def split_spec(spec: str) -> tuple[str, dict[str, Value]]:
    """Split "head?a=1&b=x" into the head and its options."""
    head, _, query = spec.partition("?")
    if not is_text(head):
        raise UsageError(f"'{head}' is no text: it has bytes that are no UTF-8.", "Look at how it was written.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        # The options are not repeated: somebody may have put a key there.
        raise UsageError(f"Cannot read the options of '{head}'.", "Write them as NAME?key=value&key=value.") from None
    return head, {key: parse_value(value) for key, value in pairs}


def load_game(name: str) -> Game:
    """The game with this id; `NAME:ARGUMENT` is one of the many of a file that adapts others' games.

    Such a file has `bind(argument) -> Game`. Raises UnknownName, or UsageError where it cannot be played.
    """
    head, colon, argument = name.partition(":")
    module = _game_module(head)
    if hasattr(module, "bind"):
        return cast(Game, module.bind(argument))
    if colon:
        raise UsageError(f"The game {head} has no '{colon}{argument}'.", f"Write: {head}.")
    return cast(Game, module)


def game_ids() -> list[str]:
    """Ids of the games that are playable as they are; `adapters` are the others."""
    return [name for name in discover("arena.games") if not hasattr(_game_module(name), "bind")]


def adapters() -> dict[str, str]:
    """How the games of a file with `bind` are written, such as textarena:ID, and what they are."""
    files = [_game_module(name) for name in discover("arena.games")]
    return {module.SYNTAX: module.TITLE for module in files if hasattr(module, "bind")}


def _game_module(name: str) -> ModuleType:
    return load_part("arena.games", "game", name)


@dataclass(frozen=True)
class GameSpec:
    """A game with its variant, as the user wrote it: `name` is shown and stored, never rewritten."""

    name: str
    game: Game
    variant: Variant

    @classmethod
    def parse(cls, spec: str) -> GameSpec:
        """Read "kuhn_poker?hands=1". Raises UsageError for an unknown game, option or value."""
        head, variant = split_spec(spec)
        game = load_game(head)
        check_variant(game, variant)
        return cls(spec, game, variant)

    def new(self, key: int) -> State:
        return self.game.new(key, **self.variant)


def check_variant(game: Game, variant: Mapping[str, Value]) -> None:
    """Raise UsageError unless every option and value is one that the game has."""
    check_options(game.INFO, variant)


@dataclass(frozen=True)
class PlayerSpec:
    """A player as the user wrote it: `backend:target@…?options`."""

    name: str
    backend: str
    target: str
    options: Mapping[str, Value]

    @classmethod
    def parse(cls, spec: str) -> PlayerSpec:
        """Read a spec string. Raises UsageError for an unknown backend or option."""
        head, options = split_spec(spec)
        backend, _, target = head.partition(":")
        info = player_info(_file_of(backend))
        for option in options:
            if option not in info.options:
                raise UnknownName(f"option of {backend}", option, info.options)
        return cls(spec, backend, target, options)


_ALIASES = {"ckpt": "checkpoint"}


def _file_of(backend: str) -> str:
    return _ALIASES.get(backend, backend)


def player_info(name: str) -> PlayerInfo:
    """Facts of the backend in `arena/players/NAME.py`. Raises UnknownName."""
    if name not in discover("arena.players"):
        known = [next((a for a, f in _ALIASES.items() if f == n), n) for n in discover("arena.players")]
        raise UnknownName("player", name, known)
    return cast(PlayerInfo, load_part("arena.players", "player", name).INFO)


def player_module(backend: str) -> ModuleType:
    """The file of a backend as specs name it ("ckpt" is `checkpoint.py`). Raises UnknownName."""
    return load_part("arena.players", "player", _file_of(backend))


def load_player(spec: str) -> Player:
    """Build the player that a spec string names. Raises UsageError, or ArenaError where it cannot be loaded."""
    parsed = PlayerSpec.parse(spec)
    return cast(Player, player_module(parsed.backend).load(parsed))
