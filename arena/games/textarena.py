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

import copy
import functools
import random
import re
import sys
from dataclasses import dataclass, field
from typing import Any

from arena.core.answer import ANSWER_LIMIT, match_action
from arena.core.errors import ArenaError, UnknownName, UsageError
from arena.core.game import Action, GameInfo, Illegal, check_options
from arena.core.sanitise import one_line, plain
from arena.games._textarena.environment import Playing, family, package, roles_of, start, turn_limit, wants_brackets
from arena.games._textarena.isolation import Offline, isolated
from arena.games._textarena.speech import bracketed, host_line, one_move, quoted
from arena.games._textarena.twins import TWINS

SYNTAX = "textarena:ID"
TITLE = "any two-player environment of TextArena, such as textarena:TicTacToe-v0"
OBSERVATION_LIMIT = 2000
"""Characters of an observation before older messages are left out."""
_NEEDS_API = ("Debate", "GuessWho", "ScenarioPlanning", "TwentyQuestions")
"""Families that ask a paid service while they are played."""
_MOVE = re.compile(r"\[[^\[\]]*\]")


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
        twin = TWINS.get(family(self.name))
        if twin is None or twin.talk is None:
            raise UsageError(f"No valid move of {_spec(self.name)} can be named.", "Let a model or a human play it.")
        return twin.talk(self._playing().env, rng)

    def rules(self, seat: int) -> str:
        """The environment's own prompt for the seat, then how to answer."""
        said = [plain(text, 8000).strip() for _, text, kind in self._playing().messages(seat) if kind == "PROMPT"]
        twin = TWINS.get(family(self.name))
        example = f", for example \\boxed{{{twin.example}}}" if twin else ""
        return "\n".join([*said, f"Put your move, and nothing else, in \\boxed{{}}{example}."])

    def observe(self, seat: int) -> str:
        """The environment's messages to the seat, the latest ones where they are many."""
        playing = self._playing()
        roles, spoken = roles_of(playing), tuple(action for action in self.actions if len(action) > 12)
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
            line = host_line(text, spoken, OBSERVATION_LIMIT) if sender < 0 else f'{roles[sender]}: "{quoted(text)}"'
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
            with isolated(self.key, len(self.actions)):
                picture = plain(str(playing.env.get_board_str()), 4500).strip("\n")
        except Exception:
            picture = ""
        if not picture:
            boards = [[text for _, text, kind in playing.messages(seat) if kind == "GAME_BOARD"] for seat in (0, 1)]
            picture = "\n".join(
                f"{roles_of(playing)[s]}: {plain(b[-1], 2000).strip()}" for s, b in enumerate(boards) if b
            )
        return "\n".join(line.rstrip() for line in [f"Turn {len(self.actions)}", *picture.split("\n")]).rstrip("\n")

    def parse(self, answer: str) -> Action | Illegal:
        live = self._live
        if live.parsed is None or live.parsed[0] != answer:
            live.parsed = (answer, self._parse(answer))
        return live.parsed[1]

    def _parse(self, answer: str) -> Action | Illegal:
        facts, twin = self._facts(), TWINS.get(family(self.name))
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
        roles = tuple(roles_of(self._playing()))
        action = one_move(answer, roles)
        if not action:
            return Illegal("the answer is empty")
        if twin is None and not re.search(r"[\[\]]", action) and wants_brackets(self.name):
            action = bracketed(action, roles)
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
            playing = start(self.name, self.key)
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
    state, twin = playing.env.state, TWINS.get(family(name))
    if playing.over:
        with isolated(0, 0):
            closed = playing.env.close()
        rewards = (closed[0] if isinstance(closed, tuple) else closed) or {}
        first = (float(rewards.get(0, 0)) - float(rewards.get(1, 0))) / 2
        first = max(-1.0, min(1.0, first)) + 0.0
        return _Facts(None, (), (first, 0.0 - first))
    if turns >= turn_limit(state):
        return _Facts(None, (), (0.0, 0.0))
    moves = twin.moves(playing.env) if twin else None
    return _Facts(int(state.current_player_id), None if moves is None else tuple(moves), None)


def _spec(name: str) -> str:
    return one_line(f"textarena:{name}", 80)


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
    registry = package().ENV_REGISTRY
    if argument not in registry:
        raise UnknownName("TextArena environment", one_line(argument, 60), registry)
    if family(argument) in _NEEDS_API:
        raise UsageError(f"{_spec(argument)} cannot start: it asks a paid service while it is played.")
    try:
        playing = start(argument, 0)
        limit = turn_limit(playing.env.state)
        playing.messages(0), playing.messages(1)
        copy.deepcopy(playing)
    except ArenaError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{_spec(argument)} cannot start: {_reason(error)}.") from None
    info = GameInfo(
        id=f"textarena:{argument}",
        title=f"{argument} (TextArena)",
        roles=(roles_of(playing)[0], roles_of(playing)[1]),
        utility=(-1.0, 1.0),
        max_turns=limit,
        chance=True,
        hidden=True,
        trained=False,
        samples=family(argument) in TWINS,
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
    if isinstance(error, Offline) or "nltk" in text.lower():
        return "it needs data from the network, and nothing is downloaded"
    if isinstance(error, AssertionError | ValueError) and "player" in text.lower():
        return f"it is not a game for two ({text})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
