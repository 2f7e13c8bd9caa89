"""Turns per second of our match loop against TextArena 0.7.4 with its default wrappers, in one run.

    pip install -e '.[textarena]'
    python tests/benchmarks/match_loop.py [--json] [--seconds S] [--rounds N] [--game ID]…

Both sides play random matches from start to end. A turn is, on either side: make the full text prompt (ours in the
style `base` from rules and observation, TextArena's by its default wrappers), ask the policy, read its reply, apply
it. Both get a fresh game for every match (TextArena's wrappers keep their history over `reset`). Nothing is
tokenised. The time of the random policy is measured on both sides and subtracted. Short rounds of either side
alternate, so that both meet the same load of the machine; the ratio is the median over the rounds. Exit code 1
where a ratio misses its target.

The rules are not the same on both sides (ours stand in the files of arena/games), but the size of a match is: five
hands of Kuhn, ten or eleven moves of negotiation, 5×5 Snake, seven turns of Truth and Deception. TextArena stops
Pig after as many turns as the target has points, ours plays on; that favours TextArena, whose prompts grow.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from arena.core.answer import split_reply
from arena.core.events import TurnTaken
from arena.core.match import play
from arena.core.player import Reply, View
from arena.core.registry import GameSpec
from arena.prompts import base

Policy = Callable[[Any, random.Random], str]


class Clock:
    """Adds up the time that a policy takes, so that it can be subtracted."""

    def __init__(self) -> None:
        self.nanoseconds = 0

    def call(self, policy: Callable[..., str], *arguments: object) -> str:
        start = time.perf_counter_ns()
        answer = policy(*arguments)
        self.nanoseconds += time.perf_counter_ns() - start
        return answer


class NoTemplate:
    """Stands for a tokenizer; the style `base` never asks for a chat template."""

    def chat(self, messages: list[dict[str, str]]) -> str:
        raise NotImplementedError


class PromptedRandom:
    """A random player that is prompted, and answers, as a language model is."""

    name = "random"
    sees_state = False

    def __init__(self, rng: random.Random, clock: Clock) -> None:
        self.rng = rng
        self.clock = clock
        self.tokenizer = NoTemplate()
        self.prompt = ""

    async def act(self, view: View) -> Reply:
        self.prompt = base.build(view.rules, view.observation, self.tokenizer, view.illegal)
        text = self.clock.call(view.sample, self.rng)
        thought, answer = split_reply(text)
        return Reply(text, thought, answer)

    async def close(self) -> None:
        return None


def our_rate(game: GameSpec, seconds: float, seed: int) -> float:
    """Turns per second, policy time subtracted."""
    clock = Clock()
    player = PromptedRandom(random.Random(seed), clock)

    async def run() -> tuple[int, float]:
        turns, key, start = 0, seed * 1_000_000, time.perf_counter()
        while time.perf_counter() - start < seconds:
            async for event in play(game, (player, player), key, retries=1):
                turns += isinstance(event, TurnTaken)
            key += 1
        return turns, time.perf_counter() - start

    turns, elapsed = asyncio.run(run())
    return turns / (elapsed - clock.nanoseconds / 1e9)


def their_rate(env_id: str, policy: Policy, seconds: float, seed: int) -> float:
    """Turns per second, policy time subtracted."""
    import textarena

    clock = Clock()
    rng = random.Random(seed)
    turns, match, start = 0, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        env = textarena.make(env_id)
        env.reset(num_players=2, seed=seed * 1_000_000 + match)
        inner = env
        while hasattr(inner, "env"):
            inner = inner.env
        done = False
        while not done:
            env.get_observation()
            done, _ = env.step(clock.call(policy, inner, rng))
            turns += 1
        env.close()
        match += 1
    return turns / (time.perf_counter() - start - clock.nanoseconds / 1e9)


def tictactoe(env: Any, rng: random.Random) -> str:
    cells = [cell for row in env.state.game_state["board"] for cell in row]
    return f"[{rng.choice([number for number, mark in enumerate(cells) if not mark])}]"


def kuhn_poker(env: Any, rng: random.Random) -> str:
    return f"[{rng.choice(list(env.state.game_state['current_legal_action_tree']))}]"


def simple_negotiation(env: Any, rng: random.Random) -> str:
    state, seat = env.state.game_state, env.state.current_player_id
    mine, theirs = state["player_resources"][seat], state["player_resources"][1 - seat]
    standing = state["current_offer"]
    if standing and rng.random() < 0.5:
        wanted = standing["requested_resources"]
        return "[Accept]" if all(mine.get(name, 0) >= count for name, count in wanted.items()) else "[Deny]"
    give, get = (rng.choice([name for name, count in held.items() if count > 3]) for held in (mine, theirs))
    return f"[Offer: {rng.randint(1, 3)} {give} -> {rng.randint(1, 3)} {get}]"


def snake(env: Any, rng: random.Random) -> str:
    return rng.choice(("[up]", "[down]", "[left]", "[right]"))


def pig_dice(env: Any, rng: random.Random) -> str:
    return rng.choice(("[roll]", "[hold]"))


def truth_and_deception(env: Any, rng: random.Random) -> str:
    if env.state.turn >= 6:
        return rng.choice(("[Fact 1]", "[Fact 2]"))
    return rng.choice(("I am sure about the first.", "How do you know that?", "The second one sounds made up."))


@dataclass(frozen=True, slots=True)
class Contest:
    """One game that both have; `target` is the ratio that we want to reach."""

    game: str
    env_id: str
    policy: Policy
    target: float


CONTESTS = (
    Contest("tictactoe", "TicTacToe-v0", tictactoe, 1.0),
    Contest("kuhn_poker", "KuhnPoker-v0-short", kuhn_poker, 1.0),
    Contest("simple_negotiation", "SimpleNegotiation-v0", simple_negotiation, 1.0),
    Contest("snake", "Snake-v0", snake, 1.0),
    Contest("pig_dice", "PigDice-v0-50", pig_dice, 1.5),
    Contest("pig_dice?target=100", "PigDice-v0", pig_dice, 1.5),
    Contest("truth_and_deception", "TruthAndDeception-v0", truth_and_deception, 1.5),
)


@dataclass(frozen=True, slots=True)
class Score:
    """Medians over the rounds."""

    game: str
    textarena: str
    ours: float
    theirs: float
    ratio: float
    target: float


def contest_score(contest: Contest, rounds: int, seconds: float) -> Score:
    """Alternate rounds of both sides, after one that only warms up."""
    game = GameSpec.parse(contest.game)
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(rounds + 1):
        gc.collect()
        ours.append(our_rate(game, seconds, seed))
        theirs.append(their_rate(contest.env_id, contest.policy, seconds, seed))
    del ours[0], theirs[0]
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Score(
        contest.game, contest.env_id, statistics.median(ours), statistics.median(theirs), ratio, contest.target
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--seconds", type=float, default=0.2, help="length of one round of one side")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--game", action="append", choices=[contest.game for contest in CONTESTS])
    options = parser.parse_args()
    chosen = [contest for contest in CONTESTS if not options.game or contest.game in options.game]
    scores = [contest_score(contest, options.rounds, options.seconds) for contest in chosen]
    if options.json:
        print(json.dumps([asdict(score) for score in scores], indent=2))
    else:
        print(f"{'game':22}{'ours':>12}{'TextArena':>12}{'ratio':>8}{'target':>8}   turns/s, policy time subtracted")
        for score in scores:
            mark = "" if score.ratio >= score.target else "  missed"
            print(f"{score.game:22}{score.ours:12,.0f}{score.theirs:12,.0f}{score.ratio:8.2f}{score.target:8.1f}{mark}")
    return int(any(score.ratio < score.target for score in scores))


if __name__ == "__main__":
    sys.exit(main())
