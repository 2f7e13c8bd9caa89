"""Collect: play matches of the current policy and turn them into trajectories, one per trained role."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from arena.config.train import GameQuota
from arena.core.events import Event, IllegalReply, MatchEnded, MatchStarted, TurnTaken, Void
from arena.core.game import Illegal, State
from arena.core.keys import derive_key, draw
from arena.core.match import play
from arena.core.player import Player, Reply, Sample, View
from arena.core.registry import GameSpec
from evals.featured import Feature, Featured
from evals.schedule import PlannedMatch
from training.advantages import Outcome
from training.opponents import Opponent, Seating

REPLAYS = 2
"""How often a void match is played again before it is left out."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One role's part in one finished match."""

    match: int
    """Number of the match within the run: trajectories are consumed in this order, seat 0 first."""
    game: str
    role: int
    value: float
    """Return after shaping."""
    samples: tuple[Sample, ...]
    """What the policy drew in its turns; random opening turns are left out."""

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.game, self.role, self.value, len(self.samples))


@dataclass(slots=True)
class Played:
    """One finished training match with what metrics and viewers need."""

    number: int
    game: str
    events: list[Event]
    trajectories: tuple[Trajectory, ...]
    returns: tuple[float, float]
    """As the game gave them, before shaping."""
    forfeit: int | None
    transcript: str
    """Game and actions: equal for matches that went the same way."""
    trained: tuple[bool, bool] = (True, True)
    """Which seats were trained."""

    @property
    def opponent(self) -> str:
        """Name of the player on the seat that was not trained; empty in self-play."""
        started = self.events[0]
        assert isinstance(started, MatchStarted)
        return "" if all(self.trained) else started.players[self.trained.index(False)]


@dataclass(slots=True)
class Rollout:
    """The matches of one step on one rank."""

    played: list[Played] = field(default_factory=list)
    voids: list[str] = field(default_factory=list)
    """Why matches are left out, one reason for each: the opponent could not answer, not once in all replays."""
    stop: str = ""
    """Why the opponent cannot go on in this job; empty where it can."""

    @property
    def trajectories(self) -> list[Trajectory]:
        return [trajectory for match in self.played for trajectory in match.trajectories]


@dataclass(frozen=True)
class Explorer:
    """A player, but each of the match's first `plies` turns is random with probability `chance`, whoever's it is."""

    player: Player
    plies: int
    chance: float

    @property
    def name(self) -> str:
        return self.player.name

    @property
    def sees_state(self) -> bool:
        return self.player.sees_state

    async def act(self, view: View) -> Reply:
        if view.turn < self.plies:
            rng = draw(view.key, "opening", view.turn)
            if rng.random() < self.chance:
                answer = view.sample(rng)
                return Reply(text=answer, thought="", answer=answer)
        return await self.player.act(view)

    async def close(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Planned:
    """One training match to play."""

    number: int
    """Within the run; also the order in which returns meet the baselines."""
    quota: GameQuota
    spec: GameSpec
    key: int

    @property
    def game(self) -> str:
        return self.spec.name


M = TypeVar("M", Planned, Played)


def games_in_turn(matches: Iterable[M]) -> list[M]:
    """The first match of each game, then the second of each, and so on."""
    seen: Counter[str] = Counter()
    places = []
    for match in matches:
        seen[match.game] += 1
        places.append((seen[match.game], match.number, match))
    return [match for _, _, match in sorted(places, key=lambda item: item[:2])]


def shown_match(number: int, spec: GameSpec, key: int, policy: str, opponent: str, leg: int) -> PlannedMatch:
    """How a training match is shown and stored: pair and number are its number within the run.

    An opponent gets a name that evaluations do not use: what is played in training is no evidence of strength.
    """
    other = f"{opponent} (training)" if opponent else policy
    return PlannedMatch(number, spec, policy, other, number, leg, key)


class LiveView:
    """Some matches of the running step, shown while they are played: those that are stored after it."""

    def __init__(self, featured: Featured, count: int, name: str, step: Callable[[], int]) -> None:
        self._featured, self._count, self._name, self._step = featured, count, name, step
        self._chosen: set[int] = set()

    def begin(self, planned: Sequence[Planned]) -> None:
        """Choose among the matches that this rank is about to play."""
        self._chosen = {match.number for match in games_in_turn(planned)[: self._count]}

    def take(self, planned: Planned, seating: Seating) -> Feature | None:
        """Where this match is to be shown, if it is."""
        if planned.number not in self._chosen:
            return None
        step, trained = self._step(), seating.trained
        opponent = "" if all(trained) else seating.players[trained.index(False)].name
        policy, leg = f"{self._name}@{step}", trained.index(True)
        match = shown_match(planned.number, planned.spec, planned.key, policy, opponent, leg)
        return self._featured.take(match, step)

    def rest(self) -> None:
        """The step's matches are over."""
        self._featured.settle()


def matches_needed(quota: GameQuota, turns_per_match: float) -> int:
    """Whole matches that make up the quota of turns at the mean length seen so far."""
    return max(1, math.ceil(quota.turns / max(turns_per_match, 1.0)))


def plan(quotas: Sequence[GameQuota], lengths: dict[str, float], seed: int, first: int) -> list[Planned]:
    """The matches of one step, numbered from `first`, games in turn so that ranks share each of them."""
    planned: list[Planned] = []
    for quota in quotas:
        spec = GameSpec.parse(quota.game)
        for _ in range(matches_needed(quota, lengths[quota.game])):
            number = first + len(planned)
            planned.append(Planned(number, quota, spec, derive_key("rollout", seed, number)))
    return planned


def random_start(spec: GameSpec, key: int) -> State:
    """A position of a match between random players, each of its turns alike likely."""
    rng = draw(key, "start")
    states = [spec.new(key)]
    while states[-1].to_act is not None:
        action = states[-1].parse(states[-1].sample(rng))
        if isinstance(action, Illegal):
            break
        states.append(states[-1].apply(action))
    return rng.choice([state for state in states if state.to_act is not None])


async def collect(
    planned: Sequence[Planned], policy: Player, opponent: Opponent, shaping: str, live: LiveView | None = None
) -> Rollout:
    """Play all the matches at once and return them in the order given, those left out that stay void."""
    if live is not None:
        live.begin(planned)
    found = await asyncio.gather(*(_play(match, policy, opponent, shaping, live) for match in planned))
    if live is not None:
        live.rest()
    rollout = Rollout()
    for item in found:
        if isinstance(item, Played):
            rollout.played.append(item)
        else:
            rollout.voids.append(item.reason)
            rollout.stop = rollout.stop or (item.reason if item.stops else "")
    return rollout


async def _play(
    planned: Planned, policy: Player, opponent: Opponent, shaping: str, live: LiveView | None
) -> Played | Void:
    """The match, played again where it is void, unless its player cannot go on."""
    for _ in range(REPLAYS + 1):
        found = await _play_once(planned, opponent.seat(policy, planned.number), shaping, live)
        if isinstance(found, Played) or found.stops:
            break
    return found


async def _play_once(planned: Planned, seating: Seating, shaping: str, live: LiveView | None) -> Played | Void:
    quota, spec = planned.quota, planned.spec
    players, start = seating.players, None
    if quota.random_start and draw(planned.key, "starts").random() < quota.random_start:
        start = random_start(spec, planned.key)
    elif quota.opening_plies:
        one, other = (Explorer(player, quota.opening_plies, quota.opening_random) for player in players)
        players = one, other
    feature = live.take(planned, seating) if live is not None else None
    if feature is not None:
        players = feature.overhear(players)
    events: list[Event] = []
    async for event in play(spec, players, planned.key, retries=0, start=start):
        events.append(event)
        if feature is not None:
            feature.add(event)
    ended = events[-1]
    if isinstance(ended, Void):
        return ended
    assert isinstance(ended, MatchEnded)
    first = start if start is not None else spec.new(planned.key)
    values = shaped_returns(ended, first.utility, shaping)
    trajectories = tuple(
        Trajectory(planned.number, spec.name, seat, values[seat], _samples(events, seat))
        for seat in (0, 1)
        if seating.trained[seat]
    )
    transcript = _transcript(spec.name, events)
    return Played(
        planned.number, spec.name, events, trajectories, ended.returns, ended.forfeit, transcript, seating.trained
    )


def shaped_returns(ended: MatchEnded, utility: tuple[float, float], shaping: str) -> tuple[float, float]:
    """Returns as training sees them: with "spiral", a forfeit is −1.5 and +0.5 times the highest utility.

    That holds whoever forfeits: a policy earns +0.5 times from an opponent that is not trained, too.
    """
    if shaping != "spiral" or ended.forfeit is None:
        return ended.returns
    bad, good = -1.5 * utility[1], 0.5 * utility[1]
    return (bad, good) if ended.forfeit == 0 else (good, bad)


def _samples(events: Sequence[Event], seat: int) -> tuple[Sample, ...]:
    return tuple(
        event.reply.sample
        for event in events
        if isinstance(event, TurnTaken | IllegalReply) and event.seat == seat and event.reply.sample is not None
    )


def _transcript(game: str, events: Sequence[Event]) -> str:
    steps = [event.action for event in events if isinstance(event, TurnTaken)]
    first = next((event.observation for event in events if isinstance(event, TurnTaken | IllegalReply)), "")
    return "\n".join([game, first, *steps])


def without_samples(played: Played) -> Played:
    """The match without token ids, cheap to send to another rank for storing."""
    events: list[Event] = [
        replace(event, reply=replace(event.reply, sample=None))
        if isinstance(event, TurnTaken | IllegalReply)
        else event
        for event in played.events
    ]
    return replace(played, events=events, trajectories=())
