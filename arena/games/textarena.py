r"""Any two-player environment of TextArena (PyPI `textarena`) as a game: `textarena:ID`.

The rules that a seat reads are the environment's own prompt, its observation the environment's own messages. All
else that TextArena leaves to its wrappers and to the process is kept from it here:

- Chance. TextArena draws from the global generator. Each step runs on a state drawn from (match key, step), and the
  process's state is put back after it, so neither other matches nor a replay can change a draw.
- History. Environments are made bare; the messages of one match are kept in its own environment. Of boards that
  begin alike the latest is shown. What a player said is quoted: one line, no brackets, TALK_LIMIT characters.
- Faults. An answer is tried on a copy first. One that the environment calls invalid, or fails on, is illegal with the
  environment's reason and changes nothing; TextArena's own second chances and penalties never come into play.
- Failures. An id that cannot start with two players is refused with its reason. No step may open a connection.

A return is half the difference of the seats' rewards, at most 1 (so ±1 and 0 are kept, and it sums to zero). A match
that is not over after `INFO.max_turns` actions is a draw.

The newest position of a match owns the environment; an older one replays its actions, so stepping on costs one step,
stepping from an old position as many as it has actions.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import io
import random
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from arena.core.answer import ANSWER_LIMIT, match_action
from arena.core.errors import ArenaError, MissingExtra, UnknownName, UsageError
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.keys import draw
from arena.core.quote import safe_line
from arena.core.sanitise import one_line, plain
from arena.games._textarena_twins import TWINS

SYNTAX = "textarena:ID"
TITLE = "any two-player environment of TextArena, such as textarena:TicTacToe-v0"
TALK_LIMIT = 400
"""Characters of one free-text action."""
OBSERVATION_LIMIT = 2000
"""Characters of an observation before older messages are left out."""
TURN_LIMIT = 200
"""Actions of a match where the environment names no limit of its own; twice its limit where it does."""
_NEEDS_API = ("Debate", "GuessWho", "ScenarioPlanning", "TwentyQuestions")
"""Families that ask a paid service while they are played."""


# Isolation: the generator, the network and the standard streams, around every call into TextArena.


class _Offline(OSError):
    """The environment asked for the network."""


class _Inside(threading.local):
    """How deep this thread is inside TextArena."""

    depth = 0


_inside = _Inside()
_CONNECTING = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")


@functools.cache
def _guard_network() -> None:
    """Refuse connections of a thread that is inside TextArena. An audit hook stays for the life of the process."""

    def hook(event: str, args: object) -> None:
        if _inside.depth and event in _CONNECTING:
            raise _Offline("it asks for the network")

    sys.addaudithook(hook)


@contextlib.contextmanager
def _isolated(key: int, step: int) -> Iterator[None]:
    """Run TextArena's code on the draws of one step of one match, offline and silent."""
    _guard_network()
    numpy: Any = getattr(sys.modules.get("numpy"), "random", None)
    before, numpy_before = random.getstate(), numpy and numpy.get_state()
    drawn = draw(key, "textarena", step)
    random.setstate(drawn.getstate())
    if numpy:
        numpy.seed(drawn.getrandbits(32))
    _inside.depth += 1
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        _inside.depth -= 1
        random.setstate(before)
        if numpy:
            numpy.set_state(numpy_before)


# The environment.


@dataclass(slots=True)
class Playing:
    """One TextArena environment in the middle of a match."""

    env: Any
    over: bool = False

    def step(self, action: Action, key: int, number: int) -> None:
        """Make the move, on the draws of this step of the match. Raises ArenaError where the environment fails."""
        try:
            with _isolated(key, number + 1):
                done, _ = self.env.step(action)
        except Exception as error:
            raise ArenaError(f"TextArena fails on it ({one_line(f'{type(error).__name__}: {error}', 80)})") from error
        self.over = bool(done)

    def messages(self, seat: int) -> list[tuple[int, str, str]]:
        """Sender, text and kind of every message that the seat has been sent."""
        env = self.env
        sent = env.state.observations[seat]
        # A few environments add to what they have sent when they are asked, which empties the store as well.
        if "get_observation" in vars(type(env)) and seat == env.state.current_player_id and not self.over:
            with _isolated(0, 0):
                sent = copy.deepcopy(env).get_observation()[1]
        return [(sender, str(text), kind.name) for sender, text, kind in sent]


@functools.cache
def _package() -> Any:
    """The `textarena` package. Raises MissingExtra."""
    try:
        with _isolated(0, 0):  # nltk keeps the standard streams that it finds
            return importlib.import_module("textarena.envs.registration")
    except ImportError:
        raise MissingExtra("A textarena: game", "textarena") from None


def _family(name: str) -> str:
    """The package of an id: "TicTacToe" of "TicTacToe-v0-train"."""
    entry = str(_package().ENV_REGISTRY[name].entry_point)
    return entry.partition(":")[0].removeprefix("textarena.envs.").partition(".")[0]


def _start(name: str, key: int) -> Playing:
    """A bare environment, reset for two players; no wrapper, so no history but its own match's."""
    with _isolated(key, 0):
        env = _package().make(name)
        while hasattr(env, "env") and hasattr(env, "is_wrapped_with"):
            env = env.env
        env.reset(num_players=2, seed=draw(key, "textarena").getrandbits(32))
    return Playing(env)


@dataclass(slots=True)
class _Live:
    """What a position knows beyond its actions. Nothing of it counts in comparing positions, or is pickled."""

    playing: Playing | None = None
    facts: _Facts | None = None
    parsed: tuple[str, Action | Illegal] | None = None

    def __reduce__(self) -> tuple[type[_Live], tuple[()]]:
        return _Live, ()


@dataclass(frozen=True, slots=True)
class _Facts:
    to_act: int | None
    moves: tuple[Action, ...] | None
    returns: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class State:
    """A match as its key and its actions; the environment is made from them wherever it is asked for."""

    name: str
    """The id as the user gave it."""
    key: int
    actions: tuple[Action, ...] = ()
    _live: _Live = field(init=False, default_factory=_Live, compare=False, repr=False)

    @property
    def to_act(self) -> int | None:
        return self._facts().to_act

    @property
    def utility(self) -> tuple[float, float]:
        return -1.0, 1.0

    def legal(self) -> list[Action] | None:
        moves = self._facts().moves
        return None if moves is None else list(moves)

    def sample(self, rng: random.Random) -> str:
        """A random valid answer. Raises UsageError where no valid move can be named."""
        moves = self._facts().moves
        if moves is not None:
            return rng.choice(moves)
        twin = TWINS.get(_family(self.name))
        if twin is None or twin.talk is None:
            raise UsageError(f"No valid move of {_spec(self.name)} can be named.", "Let a model or a human play it.")
        return twin.talk(self._playing().env, rng)

    def rules(self, seat: int) -> str:
        """The environment's own prompt for the seat, then how to answer."""
        said = [plain(text, 8000).strip() for _, text, kind in self._playing().messages(seat) if kind == "PROMPT"]
        twin = TWINS.get(_family(self.name))
        example = f", for example \\boxed{{{twin.example}}}" if twin else ""
        return "\n".join([*said, f"Put your move, and nothing else, in \\boxed{{}}{example}."])

    def observe(self, seat: int) -> str:
        """The environment's messages to the seat, the latest ones where they are many."""
        playing = self._playing()
        roles, spoken = _roles(playing), tuple(action for action in self.actions if len(action) > 12)
        shown: list[str] = []
        labels: set[str] = set()
        room, later = OBSERVATION_LIMIT, ""
        for sender, text, kind in reversed(playing.messages(seat)):
            told, later = later, kind
            if kind in ("PROMPT", "GAME_ADMIN") or not text.strip():
                continue
            # A bare move of which the environment tells next.
            if sender >= 0 and told == "GAME_ACTION_DESCRIPTION" and _MOVE.fullmatch(text):
                continue
            line = _host(text, spoken) if sender < 0 else f'{roles[sender]}: "{quoted(text)}"'
            label = text.split(None, 1)[0] if kind == "GAME_BOARD" else ""
            room -= len(line)
            if label in labels or line == (shown or [""])[-1] or (room < 0 and shown and not label):
                continue
            labels |= {label} - {""}
            shown.append(line)
        return "\n".join([f"You are {roles[seat]}.", *reversed(shown)])

    def board(self) -> str:
        """The environment's own picture; where it has none, the latest board that each seat was sent."""
        playing = self._playing()
        try:
            with _isolated(self.key, len(self.actions)):
                picture = plain(str(playing.env.get_board_str()), 4500).strip("\n")
        except Exception:
            picture = ""
        if not picture:
            boards = [[text for _, text, kind in playing.messages(seat) if kind == "GAME_BOARD"] for seat in (0, 1)]
            picture = "\n".join(
                f"{_roles(playing)[s]}: {plain(b[-1], 2000).strip()}" for s, b in enumerate(boards) if b
            )
        return "\n".join(line.rstrip() for line in [f"Turn {len(self.actions)}", *picture.split("\n")]).rstrip("\n")

    def parse(self, answer: str) -> Action | Illegal:
        live = self._live
        if live.parsed is None or live.parsed[0] != answer:
            live.parsed = (answer, self._parse(answer))
        return live.parsed[1]

    def _parse(self, answer: str) -> Action | Illegal:
        facts, twin = self._facts(), TWINS.get(_family(self.name))
        if facts.to_act is None:
            return Illegal("the match is over")
        if len(answer) > ANSWER_LIMIT:
            return Illegal(f"the answer is longer than {ANSWER_LIMIT} characters")
        if facts.moves is not None and twin is not None:
            if answer not in facts.moves and twin.loose[0]:
                answer = re.sub(twin.loose[0], twin.loose[1], answer, flags=re.IGNORECASE)
            read = match_action(answer, facts.moves)
            if isinstance(read, Illegal) and len(read.reason) > 200:
                return Illegal(f"{read.reason.partition(';')[0]}; answer like {facts.moves[0]}")
            return read
        roles = tuple(_roles(self._playing()))
        action = one_move(answer, roles)
        if not action:
            return Illegal("the answer is empty")
        if twin is None and not re.search(r"[\[\]]", action) and _brackets(self.name):
            action = _bracketed(action, roles)
        fault = self._fault(action)
        return Illegal(fault) if fault else action

    def _fault(self, action: Action) -> str:
        """Why the environment does not take the action, or "": found on a copy."""
        playing, seat = self._playing(), self.to_act
        trial = copy.deepcopy(playing)
        state = trial.env.state
        state.error_allowance, state.error_count = 10**6, 0
        told = len(trial.messages(seat or 0))
        try:
            trial.step(action, self.key, len(self.actions))
        except ArenaError as error:
            return error.message
        admin = [text for _, text, kind in trial.messages(seat or 0)[told:] if kind == "GAME_ADMIN"]
        ended: dict[str, Any] = getattr(state, "game_info", {}).get(seat, {})
        if not (admin or state.error_count or ended.get("invalid_move")):
            return ""
        reason = admin[0] if admin else str(ended.get("reason") or "invalid move")
        reason = reason.partition("Reason: ")[2] or reason
        return one_line(reason.partition(" Please resubmit")[0], 200)

    def apply(self, action: Action) -> State:
        """The position after the action. Raises ValueError where it is not one that `parse` gives."""
        if self.parse(action) != action:
            raise ValueError(f"{action!r} is not legal after {len(self.actions)} actions")
        playing = self._playing()
        self._live.playing = None
        playing.step(action, self.key, len(self.actions))
        after = State(self.name, self.key, (*self.actions, action))
        after._live.playing = playing
        return after

    def returns(self) -> tuple[float, float] | None:
        return self._facts().returns

    def _playing(self) -> Playing:
        """The environment at this position: at hand, or replayed."""
        playing = self._live.playing
        if playing is None:
            playing = _start(self.name, self.key)
            for number, action in enumerate(self.actions):
                playing.step(action, self.key, number)
            self._live.playing = playing
        return playing

    def _facts(self) -> _Facts:
        if self._live.facts is None:
            self._live.facts = _read(self.name, self._playing(), len(self.actions))
        return self._live.facts


def _read(name: str, playing: Playing, turns: int) -> _Facts:
    """Who is to act, the moves that can be named, and the returns."""
    state, twin = playing.env.state, TWINS.get(_family(name))
    if playing.over:
        with _isolated(0, 0):
            closed = playing.env.close()
        rewards = (closed[0] if isinstance(closed, tuple) else closed) or {}
        first = (float(rewards.get(0, 0)) - float(rewards.get(1, 0))) / 2
        first = max(-1.0, min(1.0, first)) + 0.0
        return _Facts(None, (), (first, 0.0 - first))
    if turns >= _limit(state):
        return _Facts(None, (), (0.0, 0.0))
    moves = twin.moves(playing.env) if twin else None
    return _Facts(int(state.current_player_id), None if moves is None else tuple(moves), None)


def _limit(state: Any) -> int:
    return max(TURN_LIMIT, 2 * int(getattr(state, "max_turns", None) or 0) + 2)


def _roles(playing: Playing) -> list[str]:
    """What the environment calls each seat."""
    names = getattr(playing.env.state, "role_mapping", None) or {}
    return [one_line(str(names.get(seat, f"Player {seat}")), 40) for seat in (0, 1)]


# What players say.

_MOVE = re.compile(r"\[[^\[\]]*\]")


def one_move(text: str, roles: tuple[str, ...] = ()) -> Action:
    """The answer as one line of at most TALK_LIMIT characters that can pass for no line, tag or token of the host.

    Brackets stay, since environments read their moves in them. `one_move(one_move(t)) == one_move(t)`.
    """
    line = safe_line(text[: 8 * TALK_LIMIT])
    for role in ("GAME", *roles):
        line = re.sub(rf"\[\s*({re.escape(role)})\s*\]", r"(\1)", line, flags=re.IGNORECASE)
    return " ".join(line[:TALK_LIMIT].split())


def _bracketed(move: Action, roles: tuple[str, ...]) -> Action:
    """The move in brackets, still one that `one_move` leaves as it is."""
    bracketed = f"[{move[: TALK_LIMIT - 2].rstrip()}]"
    # The brackets would make a tag of the host's.
    return bracketed if one_move(bracketed, roles) == bracketed else f"[({move[: TALK_LIMIT - 4].rstrip()})]"


def quoted(text: str) -> str:
    """What a player said as another seat reads it, without the quotes around it."""
    return one_move(text).replace("[", "(").replace("]", ")")


def _host(text: str, spoken: tuple[Action, ...]) -> str:
    """A message of the environment, with what players said in it made harmless."""
    text = plain(text, OBSERVATION_LIMIT)
    for action in spoken:
        text = text.replace(action, quoted(action))
    return text.strip("\n").rstrip()


# Ids.


def _spec(name: str) -> str:
    return one_line(f"textarena:{name}", 80)


def _brackets(name: str) -> bool:
    """Whether TextArena itself puts a move without brackets into brackets, in the id's usual form."""
    registry = _package().ENV_REGISTRY
    usual = registry.get(name.removesuffix("-raw"), registry[name])
    return any(wrapper.__name__ == "ActionFormattingWrapper" for wrapper in usual.default_wrappers or ())


@dataclass(frozen=True, slots=True)
class Environment:
    """One id as a game."""

    name: str
    INFO: GameInfo

    def new(self, key: int, **variant: str | int | float | bool) -> State:
        """The first position; it has no options. Raises UsageError for any."""
        check_options(self.INFO, variant)
        return State(self.name, key)


@functools.cache
def bind(argument: str) -> Environment:
    """The game `textarena:argument`, started once to see that it can be.

    Raises MissingExtra without the package, UnknownName for an id that TextArena does not have, and UsageError with
    the reason for one that cannot start or is not for two.
    """
    if not argument:
        raise UsageError("textarena needs an environment's id.", f"Write {SYNTAX}: {TITLE}.")
    registry = _package().ENV_REGISTRY
    if argument not in registry:
        raise UnknownName("TextArena environment", one_line(argument, 60), registry)
    if _family(argument) in _NEEDS_API:
        raise UsageError(f"{_spec(argument)} cannot start: it asks a paid service while it is played.")
    try:
        playing = _start(argument, 0)
        limit = _limit(playing.env.state)
        playing.messages(0), playing.messages(1)
        copy.deepcopy(playing)
    except ArenaError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{_spec(argument)} cannot start: {_reason(error)}.") from None
    info = GameInfo(
        id=f"textarena:{argument}",
        title=f"{argument} (TextArena)",
        roles=(_roles(playing)[0], _roles(playing)[1]),
        utility=(-1.0, 1.0),
        max_turns=limit,
        chance=True,
        hidden=True,
        trained=False,
        samples=_family(argument) in TWINS,
    )
    return Environment(argument, info)


def _reason(error: BaseException) -> str:
    """Why an environment cannot start, in a line."""
    text = one_line(str(error), 160).rstrip(".")
    if isinstance(error, FileNotFoundError):
        return "the package lacks a file of it"
    if isinstance(error, ImportError):
        return f"the package lacks a module of it ({text.partition('Error: ')[2] or text})"
    if isinstance(error, SyntaxError):
        return f"its source is not valid in Python {sys.version_info.major}.{sys.version_info.minor}"
    if isinstance(error, _Offline) or "nltk" in text.lower():
        return "it needs data from the network, and nothing is downloaded"
    if isinstance(error, AssertionError | ValueError) and "player" in text.lower():
        return f"it is not a game for two ({text})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
