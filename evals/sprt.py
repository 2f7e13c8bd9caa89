"""Sequential test of two hypotheses about the score of player a, pair by pair: play goes on until one is accepted.

The statistic is the generalised log-likelihood ratio of the five pair outcomes (GSPRT): each hypothesis fixes the
mean score s of a pair and is represented by the likeliest distribution that has this mean. With observed shares p_i
of the outcomes worth a_i that is p_i / (1 + x (a_i − s)), where x solves Σ p_i (a_i − s) / (1 + x (a_i − s)) = 0
(M. Van den Bergh's notes on Fishtest's test, hardy.uhasselt.be/Fishtest: support_MLE_multinomial.pdf, Proposition 1.1;
the test itself: Li, Liu and Ying 2014). Bounds are Wald's: ln(β / (1 − α)) and ln((1 − β) / α).

Pairs count in the order of the schedule, and the first that crosses a bound decides: whatever was in flight then, or
finished earlier than its predecessors, changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from arena.config.tournament import SprtConfig
from arena.runs.reader import RunReader
from arena.runs.rows import MatchRow
from evals.statistics import Pair, PairOutcomes
from evals.tables import signed

Verdict = Literal["H0", "H1", "open"]

_WORTH = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Score of each pair outcome, in the order of `PairOutcomes.counts`."""
LEAST_COUNT = 1e-3
"""What an outcome that never occurred counts as."""
_HALVINGS = 52


def expected_score(elo: float) -> float:
    """Score per match of a player that is so much stronger on the logistic Elo scale."""
    return 1 / (1 + 10 ** (-elo / 400))


def bounds(config: SprtConfig) -> tuple[float, float]:
    """The ratio at or below which H0 is accepted, and that at or above which H1 is."""
    return math.log(config.beta / (1 - config.alpha)), math.log((1 - config.beta) / config.alpha)


def likelihood_ratio(counts: Sequence[int], elo0: float, elo1: float) -> float:
    """Logarithm of the likelihood under `elo1` over that under `elo0`; `counts` as in `PairOutcomes.counts`."""
    return _ratio(tuple(counts), expected_score(elo0), expected_score(elo1)) if any(counts) else 0.0


@lru_cache(maxsize=1 << 16)
def _ratio(counts: tuple[int, ...], score0: float, score1: float) -> float:
    weights = [float(count) or LEAST_COUNT for count in counts]
    total = sum(weights)
    shares = [weight / total for weight in weights]
    x0, x1 = _multiplier(shares, score0), _multiplier(shares, score1)
    terms = (
        share * math.log((1 + x0 * (worth - score0)) / (1 + x1 * (worth - score1)))
        for share, worth in zip(shares, _WORTH, strict=True)
    )
    return sum(counts) * math.fsum(terms)


def _multiplier(shares: Sequence[float], score: float) -> float:
    """The x that gives the likeliest distribution the mean `score`.

    By halving: the sum falls from one pole to the other, and steps by its slope can be caught beside a pole.
    """
    low, high = -1 / (_WORTH[0] - score), 1 / (score - _WORTH[-1])
    for _ in range(_HALVINGS):
        x = (low + high) / 2
        total = 0.0
        for share, worth in zip(shares, _WORTH, strict=True):
            total += share * (worth - score) / (1 + x * (worth - score))
        low, high = (x, high) if total > 0 else (low, x)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class State:
    """How a test stands after the pairs that count."""

    pairs: int
    ratio: float
    verdict: Verdict


class Sprt:
    """The test fed with matches in any order; once it is decided, nothing changes it any more."""

    def __init__(self, config: SprtConfig) -> None:
        self._config = config
        self._lower, self._upper = bounds(config)
        self._halves: dict[tuple[int, int], float] = {}
        """Returns of player a by (pair, leg), of the pairs that do not count yet."""
        self._counts = [0] * len(_WORTH)
        self.state = State(0, 0.0, "open")

    def add(self, match: MatchRow) -> None:
        """Take note of a finished match, and count every pair that is next in order and complete."""
        self._halves[match.pair, match.leg] = match.return_a
        while self.state.verdict == "open":
            number = self.state.pairs
            if not {(number, 0), (number, 1)} <= self._halves.keys():
                return
            pair = Pair(self._halves.pop((number, 0)), self._halves.pop((number, 1)))
            self._counts[PairOutcomes.of([pair]).counts.index(1)] += 1
            ratio = likelihood_ratio(self._counts, self._config.elo0, self._config.elo1)
            verdict: Verdict = "H0" if ratio <= self._lower else "H1" if ratio >= self._upper else "open"
            self.state = State(number + 1, ratio, verdict)


def run_test(config: SprtConfig, matches: Iterable[MatchRow]) -> State:
    """How the test stands after these matches, in whatever order they are."""
    test = Sprt(config)
    for match in matches:
        test.add(match)
    return test.state


class Watch:
    """The test of a run that is being played: fed with every match that is stored. Use as a context manager."""

    def __init__(self, config: SprtConfig, run_dir: Path) -> None:
        self._test = Sprt(config)
        self._reader = RunReader(run_dir)
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def decided(self) -> bool:
        """Whether a hypothesis is accepted by what is stored now. Cheap to call."""
        while self._test.state.verdict == "open" and (rows := self._reader.matches(after_id=self._seen)):
            for row in rows:
                self._test.add(row)
            self._seen = rows[-1].id
        return self._test.state.verdict != "open"


def row(config: SprtConfig, state: State) -> dict[str, Any]:
    """The object `sprt` of a result."""
    lower, upper = bounds(config)
    figures = {"llr": state.ratio, "lower": lower, "upper": upper}
    return {
        **config.model_dump(),
        **{name: round(value, 6) for name, value in figures.items()},
        "verdict": state.verdict,
        "pairs": state.pairs,
    }


def words(result: Mapping[str, Any]) -> str:
    """What an object `sprt` says, for a person: two lines."""
    end = "open" if result["verdict"] == "open" else f"{result['verdict']} accepted"
    ratio, lower, upper = (signed(result[name], 2) for name in ("llr", "lower", "upper"))
    return (
        f"SPRT of a's lead over b: {end} after {result['pairs']} pairs, log-likelihood ratio {ratio}.\n"
        f"H0, at most {result['elo0']:g} Elo, at {lower} (beta {result['beta']:g}); "
        f"H1, at least {result['elo1']:g} Elo, at {upper} (alpha {result['alpha']:g})."
    )


def early_end(state: State) -> list[dict[str, Any]]:
    """The warning that goes with a test that was decided."""
    if state.verdict == "open":
        return []
    text = f"The score itself ended play after {state.pairs} pairs: it, its interval, rating and claims are biased."
    return [{"kind": "early_end", "message": f"{text} The test's verdict keeps its error rates."}]
