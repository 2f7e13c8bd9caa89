"""What the Launch screen says about a draft: its origin, its TOML, and the time it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from arena.tui.format import count, duration, money
from arena.tui.text import join, line

if TYPE_CHECKING:
    from arena.tui.collect.launch import ApiNeed, Checked, DeviceNeed, DryRun, Estimate, Origin

_GIGA = 10**9
_WIDTH = 42
"""Columns of the pane."""


class OriginLine(Widget, can_focus=True):
    """Where the draft is from; enter offers others."""

    HELP = "The preset or file that the form was filled from. Enter offers the presets, and forms to fill from scratch."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "screen.presets", "presets", show=False),
        Binding("up,k", "app.focus_previous", show=False),
        Binding("down,j", "app.focus_next", show=False),
    ]
    ALLOW_SELECT = False

    _origin: reactive[Origin | None] = reactive(None)

    def show(self, origin: Origin) -> None:
        """Name another one."""
        self._origin = origin

    def render(self) -> Content:
        name, about = (self._origin.name, self._origin.about) if self._origin else ("", "")
        left = join(("preset  ", "$foreground-muted"), line(name, "bold"))
        right = join(("  ↵ others", "$foreground-muted"))
        room = max(self.size.width - left.cell_length - right.cell_length - 2, 0)
        shown = line(about, "$foreground-muted", limit=400).truncate(room, ellipsis=True, pad=True)
        return join(left, "  ", shown, right).truncate(self.size.width, ellipsis=True)

    async def on_click(self, event: events.Click) -> None:
        await self.run_action("screen.presets")


def summary(checked: Checked, time: Estimate | None, changed: bool) -> list[Content | str]:
    """The parts of the title line: errors, name, size, time, and whether something would be lost."""
    parts: list[Content | str] = []
    if checked.problems:
        parts.append(join((f"✗ {count(len(checked.problems), 'error')}", "$text-error")))
    if (config := checked.config) is not None:
        parts += [line(config.name), count(len(config.games), "game"), count(config.steps, "step")]
        parts += [f"about {duration(time.seconds)}"] if time else []
    return [*parts, join(("changed", "$foreground-muted"))] if changed else parts


def toml_lines(toml: str) -> Content:
    """TOML with its heads lit and its keys muted."""
    return join(*(_toml_line(text) if text else Content(" ") for text in toml.splitlines()), between="\n")


def _toml_line(text: str) -> Content:
    key, equals, value = text.partition(" = ")
    if not equals or text.startswith("["):
        return line(text, "$text-primary bold", limit=4000)
    return join(line(key, "$foreground-muted", limit=4000), (equals, "$foreground-muted"), line(value, limit=4000))


def estimate_words(found: Estimate | None, steps: int, dry: DryRun | None) -> Content:
    """The time from earlier runs, or from the dry run, or how to get one."""
    if found is not None:
        note = f"as {count(found.runs, 'earlier run')} with these games and ranks"
        note += ", scaled by the turns of a step" if found.scaled else ""
        head = _time(found.seconds, found.seconds_step, steps)
        return join(head, (note, "$foreground-muted"), between="\n")
    if dry is not None:
        here = dry.devices[-1]
        head = _time(here.seconds, here.seconds_step, steps)
        note = "by the dry run, on this machine, all replies at their longest"
        return join(head, (note, "$foreground-muted"), between="\n")
    return join(
        ("time unknown", "bold"),
        ("no earlier run with these games and ranks", "$foreground-muted"),
        between="\n",
    )


def _time(seconds: float, step: float, steps: int) -> Content:
    return join((f"about {duration(seconds)}", "bold"), f" · {count(steps, 'step')}, {_step(step)} each")


def dry_run_words(dry: DryRun, stale: bool) -> Content:
    """Tokens, a line a device (memory needed, a step, the whole run), and what API players take. 42 columns."""
    head = join(("dry run", "$text-primary"), (" before the last change" if stale else "", "$text-warning"))
    tokens = (
        f"{_short(dry.tokens_step)} tokens a step, {_short(dry.tokens)} in all\n{_short(dry.parameters)} parameters"
    )
    title = join((f"{'':<12}{'memory, GB':>12}{'step':>9}{'run':>9}", "$foreground-muted"))
    parts = [head, join((tokens, "$foreground-muted")), title, *map(_device, dry.devices), *map(_api, dry.apis)]
    if dry.ends is not None:
        parts.append(join((f"! the limit may end it at step {dry.ends}", "$text-warning")))
    return join(*parts, between="\n")


def _device(need: DeviceNeed) -> Content:
    sign = ("✓ ", "$text-success") if need.fits else ("✗ ", "$text-error")
    name = line(need.device.rpartition(" ")[0].rpartition(" ")[0] if need.device.endswith(" GB") else need.device)
    memory = f"{need.needed / _GIGA:.1f} of {need.memory / _GIGA:.0f}"
    times = f"{_step(need.seconds_step):>9}{duration(need.seconds):>9}"
    return join(sign, name.truncate(10, pad=True, ellipsis=True), f"{memory:>12}", times)


def _api(need: ApiNeed) -> Content:
    cost = "" if need.cost is None else f", {money(need.cost)}"
    text = f"  {_short(need.requests)} requests, ≤ {_short(need.tokens)} tokens{cost}"
    return join(line(need.player).truncate(_WIDTH, ellipsis=True), (text, "$foreground-muted"), between="\n")


def _step(seconds: float) -> str:
    """The time of a step, which may be short."""
    if seconds < 0.1:
        return f"{seconds * 1000:.2g} ms"
    return f"{seconds:.2g} s" if seconds < 10 else duration(seconds)


def _short(number: float) -> str:
    """Such as 950, 12.3 k, 4.5 M and 8.1 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f}"


def help_words(text: str) -> Content:
    """Help on a field: its name, then what it is."""
    name, colon, rest = text.partition(": ")
    return (
        join(line(name, "bold"), "  ", line(rest, "$foreground-muted", limit=600)) if colon else line(text, limit=600)
    )
