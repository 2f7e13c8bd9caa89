"""Where the time of an update goes, against what its matrix products take by themselves."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function

from arena.engines import kernels
from training import learner as learner_module

Layout = tuple[torch.Size, tuple[int, ...], torch.Size, tuple[int, ...]]
"""Shapes and strides of a product's two factors."""
PRODUCTS = {"mkldnn::_linear_pointwise", "aten::mm", "aten::addmm", "aten::matmul", "aten::linear"}


@contextmanager
def replaced(module: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, wrap(original))
    try:
        yield
    finally:
        setattr(module, name, original)


def products(update: Callable[[], None]) -> Counter[Layout]:
    """How often one update takes each product."""
    found: Counter[Layout] = Counter()

    def recording(original: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def product(x: Tensor, weight: Tensor) -> Tensor:
            found[x.shape, x.stride(), weight.shape, weight.stride()] += 1
            return original(x, weight)

        return product

    with replaced(kernels, "matmul_t", recording):
        update()
    return found


def flops(layout: Layout) -> float:
    """Of x [..., K] times weight [N, K] transposed."""
    return 2.0 * layout[0].numel() * layout[2][0]


def padding(update: Callable[[], None]) -> tuple[int, int]:
    """Tokens that one update feeds to the model once, and how many places its padded batches have."""
    real = places = 0

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def collate(rows: Any, **options: Any) -> Any:
            nonlocal real, places
            batch = original(rows, **options)
            real += sum(len(prompt) + len(reply) for prompt, reply in rows)
            places += batch.ids.numel()
            return batch

        return collate

    with replaced(learner_module, "collate", counting):
        update()
    return real, places


def floor(found: Counter[Layout], repeats: int = 7) -> dict[str, float]:
    """Seconds of the products alone, each measured at its own shape and strides, best of `repeats`; and their rate."""
    seconds = work = best = 0.0
    for layout, count in found.items():
        x, weight = (torch.randn(_span(*part)).as_strided(*part) for part in (layout[:2], layout[2:]))
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            kernels.matmul_t(x, weight)
            times.append(time.perf_counter() - began)
        seconds += min(times) * count
        work += flops(layout) * count
        best = max(best, flops(layout) / min(times))
    return {"seconds": seconds, "gflop": work / 1e9, "gflop_a_second": work / seconds / 1e9, "best_rate": best / 1e9}


def _span(shape: torch.Size, strides: tuple[int, ...]) -> int:
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


def breakdown(update: Callable[[], None], vocab: int, repeats: int = 5) -> dict[str, float]:
    """Share of an update's time by part: medians of `repeats` profiled updates, in which Python counts for more."""

    def marked(original: Callable[..., Any]) -> Callable[..., Any]:
        def collate(*args: Any, **options: Any) -> Any:
            with record_function("collate"):
                return original(*args, **options)

        return collate

    rounds = []
    for _ in range(repeats):
        with (
            replaced(learner_module, "collate", marked),
            profile(activities=[ProfilerActivity.CPU], record_shapes=True) as watched,
            record_function("update"),
        ):
            update()
        parts: Counter[str] = Counter()
        for event in watched.events():
            parts[_part(event, vocab)] += event.self_cpu_time_total
        total = sum(parts.values())
        rounds.append({part: value / total for part, value in parts.items()})
    names = sorted({part for found in rounds for part in found})
    medians = {part: statistics.median(found.get(part, 0.0) for found in rounds) for part in names}
    return {part: value / sum(medians.values()) for part, value in medians.items()}


def _part(event: Any, vocab: int) -> str:
    name, above = event.name, _ancestors(event)
    if name in PRODUCTS:
        return "products, backward" if any("_LinearBackward" in parent for parent in above) else "products, forward"
    if "scaled_dot_product" in name or any("scaled_dot_product" in parent for parent in above):
        return "attention"
    if "adam" in name.lower() or any("Optimizer.step" in parent for parent in above):
        return "optimiser"
    if "collate" in (name, *above):
        return "collate"
    if not name.startswith("aten::"):
        return "Python and autograd"
    if any(vocab in shape for shape in event.input_shapes if isinstance(shape, list)):
        return "loss (softmax, entropy, divergences)"
    return "norms, rotation, gates, sums"


def _ancestors(event: Any) -> list[str]:
    found = []
    while (event := event.cpu_parent) is not None:
        found.append(event.name)
    return found
