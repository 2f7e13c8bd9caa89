"""The update: clipped policy gradient on the drawn tokens, with KL terms that hold it.

Loss of one token with probability ratio ρ = π(token)/π_old(token) and advantage A (PPO, arXiv 1707.06347):

    −min(ρ·A, clip(ρ, 1−ε, 1+ε)·A)  +  β·KL(π(·|prefix) ‖ magnet(·|prefix))  +  γ·KL(π(·|prefix) ‖ start(·|prefix))

summed over a turn's tokens, divided by a constant (the most tokens a turn may have: "Dr. GRPO",
arXiv 2503.20783, so that long and short replies weigh alike), averaged over turns. The magnet is a moving
average of the weights, as in magnetic mirror descent (arXiv 2206.05825). The last term, the anchor, counts
only where the start was sure (`SURE`): what a model writes for certain is format and perception, what it
chooses is not. Results reward decisions only; without the anchor, claims that were true drift.

PPO's term is positively homogeneous in A, so equal (prompt, reply) rows are one row that carries the sum of
its positive and the sum of its negative advantages apart: exactly the same loss and gradient.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from arena.config.train import OptimiserConfig
from arena.core.keys import derive_key, draw
from arena.core.player import Sample
from training import adam
from training.batches import Batch, by_length, collate
from training.distributed import Ranks
from training.policy import Policy

MICROBATCH = 48
"""Rows a forward pass: few enough that activations stay in the CPU's cache."""
MICROBATCH_TOKENS = {False: 16384, True: 4096}
"""Tokens of a forward pass with several rows, by whether layers are recomputed, which large models' are."""

SURE = 0.95
"""The anchor holds tokens whose place the start model gave to one token with at least this probability."""
LEAST_KEPT = 0.1
"""Lowest probability with which thinning keeps a turn: it bounds the weights at ten."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One trained turn: what was drawn, its advantage and its game's coefficients of magnet and anchor."""

    sample: Sample
    advantage: float
    magnet: float = 0.0
    anchor: float = 0.0
    count: float = 1.0
    """How many turns it stands for: more than one where others were thinned out."""


@dataclass(slots=True)
class Row:
    """All turns of a step with the same prompt and reply."""

    sample: Sample
    count: float = 0.0
    gains: float = 0.0
    """Sum of the positive advantages."""
    losses: float = 0.0
    """Sum of the negative ones."""
    magnet: float = 0.0
    """Sum of the magnet coefficients."""
    anchor: float = 0.0
    """Sum of the anchor coefficients."""

    @property
    def needs(self) -> tuple[bool, bool]:
        """Whether it needs the magnet's pass through the model, and the start's."""
        return self.magnet > 0, self.anchor > 0

    @property
    def length(self) -> int:
        """Tokens of prompt and reply."""
        return len(self.sample.prompt_ids) + len(self.sample.token_ids)

    @property
    def work(self) -> int:
        """What it costs, in passes of one token: forward, twice as much backward, and each further pass."""
        return self.length * (3 + sum(self.needs))


@dataclass(slots=True)
class Metrics:
    """Sums over the tokens of one step; `means` divides them."""

    tokens: float = 0.0
    turns: float = 0.0
    rows: float = 0.0
    policy_loss: float = 0.0
    magnet_kl: float = 0.0
    anchor_kl: float = 0.0
    old_kl: float = 0.0
    entropy: float = 0.0
    clipped: float = 0.0
    gradient_norm: float = 0.0
    updates: float = 0.0
    skipped: float = 0.0
    """Updates left out because the loss or the gradient was not finite."""

    def means(self) -> dict[str, float]:
        """Per-token means of the sums, per-update means of the norms."""
        tokens, updates = max(self.tokens, 1.0), max(self.updates, 1.0)
        return {
            "policy_loss": self.policy_loss / updates,
            "magnet_kl": self.magnet_kl / tokens,
            "anchor_kl": self.anchor_kl / tokens,
            "old_kl": self.old_kl / tokens,
            "entropy": self.entropy / tokens,
            "clip_fraction": self.clipped / tokens,
            "gradient_norm": self.gradient_norm / updates,
            "skipped_updates": self.skipped,
            "trained_turns": self.turns,
            "distinct_row_share": self.rows / max(self.turns, 1.0),
        }


def distinct_rows(turns: Sequence[Turn]) -> list[Row]:
    """Merge turns with the same prompt and reply, in order of first appearance."""
    return merged(
        Row(
            turn.sample,
            turn.count,
            max(turn.advantage, 0.0) * turn.count,
            min(turn.advantage, 0.0) * turn.count,
            turn.magnet * turn.count,
            turn.anchor * turn.count,
        )
        for turn in turns
    )


def merged(rows: Iterable[Row]) -> list[Row]:
    """Sum rows with the same prompt and reply into the first of them, in order of first appearance."""
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], Row] = {}
    for row in rows:
        first = found.setdefault((row.sample.prompt_ids, row.sample.token_ids), row)
        if first is not row:
            first.count += row.count
            first.gains += row.gains
            first.losses += row.losses
            first.magnet += row.magnet
            first.anchor += row.anchor
    return list(found.values())


def share_of(rows: Sequence[Row], rank: int, world: int) -> list[Row]:
    """This rank's part of the rows: alike ones together, so that batches are full, and work shared out evenly."""
    alike = sorted(rows, key=lambda row: (row.needs, row.length))
    total, done, mine = sum(row.work for row in alike), 0, []
    for row in alike:
        if min(int((done + row.work / 2) * world / total), world - 1) == rank:
            mine.append(row)
        done += row.work
    return mine


def thinned(turns: Sequence[Turn], threshold: float, rng: random.Random) -> list[Turn]:
    """Keep a turn with probability |advantage| / threshold, within `LEAST_KEPT` and 1, weighed up by its inverse.

    The expected gradient is unchanged; turns that teach little, such as those of a draw that was expected,
    cost little. A threshold of 0 keeps all.
    """
    if threshold <= 0:
        return list(turns)
    kept = []
    for turn in turns:
        chance = min(1.0, max(abs(turn.advantage) / threshold, LEAST_KEPT))
        if rng.random() < chance:
            kept.append(replace(turn, count=turn.count / chance))
    return kept


class Learner:
    """Holds the policy, its Adam state and the magnet; `update` is one step of the training loop."""

    def __init__(
        self,
        policy: Policy,
        config: OptimiserConfig,
        max_tokens: int,
        temperature: float,
        magnet: bool = True,
        anchor: bool = True,
    ) -> None:
        self.policy = policy
        self.config = config
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.start = policy.flat.clone() if anchor else policy.flat
        """The weights that the anchor refers to: those the run began with. Without an anchor, no copy."""
        self.magnet = policy.flat.clone() if magnet else policy.flat
        self._flat = torch.nn.Parameter(policy.flat)
        self._flat.grad = policy.grad
        self.adam = torch.optim.Adam(
            [self._flat], lr=config.lr, betas=(config.beta1, config.beta2), eps=1e-8, fused=True
        )

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of step `step` (from 0) of `steps`."""
        return adam.rate(self.config, step, steps)

    def update(self, turns: Sequence[Turn], step: int, steps: int, seed: int, ranks: Ranks) -> Metrics:
        """Train on the turns of all ranks; all call it together, each with its own, and take the same Adam steps.

        Equal rows are merged over the ranks, and what is left is shared out evenly.
        """
        for group in self.adam.param_groups:
            group["lr"] = self.rate(step, steps)
        metrics = Metrics()
        minibatches = max(1, round(sum(ranks.gather(len(turns))) / self.config.minibatch))
        for epoch in range(self.config.epochs):
            key = derive_key("minibatches", seed, step, epoch)
            mine = distinct_rows(thinned(turns, self.config.thin, draw(key, f"rank{ranks.rank}")))
            rows = merged(row for share in ranks.gather(mine) for row in share)
            draw(key, "rows").shuffle(rows)
            for part in range(minibatches):
                self._minibatch(share_of(rows[part::minibatches], ranks.rank, ranks.world), ranks, metrics)
        return _summed(metrics, ranks)

    def follow(self, decay: float) -> None:
        """Move the magnet towards the weights."""
        self.magnet.lerp_(self.policy.flat, 1 - decay)

    def _minibatch(self, rows: Sequence[Row], ranks: Ranks, metrics: Metrics) -> None:
        """One Adam step on the mean loss of all the turns that the ranks' rows stand for."""
        self.policy.grad.zero_()
        loss = 0.0
        for group in _microbatches(rows, MICROBATCH_TOKENS[self.policy.recompute]):
            part = self._loss(group, metrics)
            part.backward()  # type: ignore[no-untyped-call]
            loss += float(part.detach())
        turns = sum(row.count for row in rows)
        counts = torch.tensor([turns, loss], dtype=torch.float64)
        ranks.add(self.policy.grad)
        ranks.add(counts)
        if counts[0] == 0:
            return
        metrics.turns += turns
        metrics.rows += len(rows)
        self.policy.grad.div_(float(counts[0]))
        norm = float(torch.linalg.vector_norm(self.policy.grad))
        if not math.isfinite(norm) or not math.isfinite(float(counts[1])):
            metrics.skipped += 1 / ranks.world
            return
        if norm > self.config.clip_norm:
            self.policy.grad.mul_(self.config.clip_norm / norm)
        self.adam.step()
        metrics.updates += 1 / ranks.world
        metrics.gradient_norm += norm / ranks.world
        metrics.policy_loss += float(counts[1] / counts[0]) / ranks.world

    def _loss(self, rows: Sequence[Row], metrics: Metrics) -> Tensor:
        """Sum over rows of the loss of all the turns that they stand for, divided by the most tokens of a turn."""
        device = self.policy.device
        batch = collate([(row.sample.prompt_ids, row.sample.token_ids) for row in rows], device=device)
        scores = self.policy.logits(batch.ids, batch.positions) / self.temperature
        logp = torch.log_softmax(scores, -1)
        taken = logp.gather(1, batch.targets[:, None])[:, 0]
        old = torch.tensor([value for row in rows for value in row.sample.logprobs], device=device)
        columns = [[row.gains, row.losses, row.magnet, row.anchor, row.count] for row in rows]
        gains, losses, magnet, anchor, count = torch.tensor(columns, device=device)[batch.row].unbind(1)
        ratio = torch.exp(taken - old)
        clipped = ratio.clamp(1 - self.config.clip, 1 + self.config.clip)
        surrogate = torch.minimum(ratio * gains, clipped * gains) + torch.minimum(ratio * losses, clipped * losses)
        loss = -surrogate.sum()
        if any(row.magnet for row in rows):
            kl = self._divergence(logp, batch, self.magnet, sure=False)
            loss = loss + (magnet * kl).sum()
            metrics.magnet_kl += float((kl.detach() * count).sum())
        if any(row.anchor for row in rows):
            kl = self._divergence(logp, batch, self.start, sure=True)
            loss = loss + (anchor * kl).sum()
            metrics.anchor_kl += float((kl.detach() * count).sum())
        with torch.no_grad():
            self._measure(metrics, logp, taken - old, ratio, count)
        return loss / self.max_tokens

    def _divergence(self, logp: Tensor, batch: Batch, weights: Tensor, sure: bool) -> Tensor:
        """KL(π ‖ other weights) at each reply token [n]; with `sure`, 0 where the others are not sure."""
        with torch.no_grad():
            reference = torch.log_softmax(
                self.policy.logits(batch.ids, batch.positions, weights) / self.temperature, -1
            )
        kl = (logp.exp() * (logp - reference)).sum(-1)
        return kl * (reference.max(-1).values >= math.log(SURE)) if sure else kl

    def _measure(self, metrics: Metrics, logp: Tensor, shift: Tensor, ratio: Tensor, count: Tensor) -> None:
        metrics.tokens += float(count.sum())
        metrics.entropy += float((-(logp.exp() * logp).sum(-1) * count).sum())
        # The k3 estimator of KL(old ‖ new), never negative (http://joschu.net/blog/kl-approx.html).
        metrics.old_kl += float(((ratio - 1 - shift) * count).sum())
        metrics.clipped += float((((ratio - 1).abs() > self.config.clip) * count).sum())

    def state_tensors(self) -> dict[str, Tensor]:
        """The Adam moments as flat vectors, for a checkpoint."""
        return adam.state_tensors(self.adam, self._flat)

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Continue from a checkpoint's Adam moments."""
        adam.load_state_tensors(self.adam, self._flat, tensors)


def _microbatches(rows: Sequence[Row], tokens: int) -> list[list[Row]]:
    """Rows that go through the model together: alike in length, and in the further passes they need."""
    groups = []
    for needs in sorted({row.needs for row in rows}):
        mine = [row for row in rows if row.needs == needs]
        parts = by_length([row.length for row in mine], MICROBATCH, tokens)
        groups += [[mine[index] for index in part] for part in parts]
    return groups


def _summed(metrics: Metrics, ranks: Ranks) -> Metrics:
    """The metrics of all ranks together."""
    names = list(Metrics.__dataclass_fields__)
    values = torch.tensor([getattr(metrics, name) for name in names], dtype=torch.float64)
    ranks.add(values)
    return Metrics(**dict(zip(names, values.tolist(), strict=True)))
