"""A dry run's estimate as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arena.core.sanitise import one_line
from training.dryrun_apis import api_lines

Found = Mapping[str, Any]


def print_estimate(found: Found) -> None:
    """Print what `training.dryrun.estimate` gives."""
    model = found["model"]
    print(f"Dry run of {one_line(found['name'])}: {one_line(model['spec'])}")
    print(f"  {model['parameters'] / 1e9:.3f} billion parameters, sizes from {model['from']}; ranks {found['ranks']}")
    _print_tokens(found)
    for line in api_lines(found):
        print(line)
    _print_memory(found["devices"])
    _print_devices(found["devices"])
    print("\nAssumed")
    for line in found["assumptions"]:
        print(f"  {line}")


def _print_tokens(found: Found) -> None:
    tokens = found["tokens"]
    print("\nTokens")
    for game, one in found["games"].items():
        print(f"  {one_line(game):40s} {one['turns']:6.1f} turns a match, {one['prompt']:7.0f} tokens a prompt")
    print(f"  a step       {tokens['turns']} turns: {tokens['prompt']:,} prompt + {tokens['reply']:,} reply", end="")
    print(f", {tokens['trained']:,} trained")
    print(f"  evaluations  {tokens['evaluations']} of {tokens['evaluation']:,}")
    print(f"  in all       {tokens['total']:,} in {found['steps']} steps")


def _print_memory(devices: list[Found]) -> None:
    gpu, cpu = devices[0], devices[-1]
    print(f"\nMemory a rank, GB{'':17s}{gpu['device'].split()[0]:>10s}{'CPU':>10s}")
    for phase, parts in gpu["memory"].items():
        for part, size in parts.items():
            label = part if phase == "resident" else f"{part} ({phase})"
            print(f"  {label:32s}{size / 1e9:10.2f}{cpu['memory'][phase][part] / 1e9:10.2f}")


def _print_devices(devices: list[Found]) -> None:
    head = "".join(f"{word:>{width}s}" for word, width in (("TFLOP/s", 9), ("learn", 7), ("draw", 6), ("step", 13)))
    print(f"\n{'Device':16s}{'memory':>9s}{'needed':>9s}  {'':13s}{head}{'run':>15s}")
    for device in devices:
        step = device["seconds_collect"] + device["seconds_learn"]
        print(
            f"{device['device']:16s}{device['memory_bytes'] / 1e9:6.0f} GB{device['needed_bytes'] / 1e9:6.0f} GB  "
            f"{'fits' if device['fits'] else 'does not fit':13s}{device['flops_per_second'] / 1e12:9.2f}"
            f"{device['utilisation_training']:7.0%}{device['utilisation_drawing']:6.0%}"
            f"{_duration(step):>13s}{_duration(device['seconds_total']):>15s}"
        )


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.2g} s"
