"""Beside the form of a training: its TOML, and the time it would take."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from arena.core.errors import ArenaError
from arena.core.sanitise import one_line
from arena.tui.text import join
from arena.tui.theme import EMPTY, LOADING
from arena.tui.widgets.launch_words import dry_run_words, estimate_words, toml_lines

if TYPE_CHECKING:
    from arena.tui.app import ArenaApp
    from arena.tui.collect.launch import Checked, DryRun, Estimate, PastRun, PastRuns


class Aside(Vertical):
    """Two panes: the TOML of the last draft that was valid, and its time from earlier runs and a dry run."""

    def __init__(self) -> None:
        super().__init__(id="aside")
        self.toml = ""
        self._checked: Checked | None = None
        self._past_runs: PastRuns | None = None
        self._past: tuple[PastRun, ...] | None = None
        self._dry: tuple[str, DryRun] | None = None
        """The TOML that a dry run was made with, and what it found."""
        self._measuring = False

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="toml", classes="section") as toml:
            toml.border_title = "TOML"
            yield Static(LOADING, id="toml-text", markup=False)
        with VerticalScroll(id="time", classes="section", can_focus=False) as time:
            time.border_title = "Time"
            yield Static(LOADING, id="time-text", markup=False)

    def clear(self) -> None:
        """Forget the draft: there is another one."""
        self.toml, self._checked, self._dry = "", None, None

    def show(self, checked: Checked) -> None:
        """Show a draft as it was looked at."""
        self._checked = checked
        self.toml = checked.toml or self.toml
        self._draw()

    def read_past(self, root: Path) -> tuple[PastRun, ...]:
        """Read the paces of earlier runs; in a thread."""
        from arena.tui.collect.launch import PastRuns

        if self._past_runs is None:
            self._past_runs = PastRuns(root)
        return self._past_runs.read()

    def show_past(self, past: tuple[PastRun, ...]) -> None:
        """Take the time from these runs."""
        if past != self._past:
            self._past = past
            self._draw()

    @property
    def read(self) -> bool:
        """Whether all that there is to see was read."""
        return self._checked is not None and self._past is not None

    @property
    def estimate(self) -> Estimate | None:
        """The time of the draft by earlier runs."""
        from arena.tui.collect.launch import estimate

        config = self._checked.config if self._checked else None
        return None if config is None else estimate(config, self._past or ())

    def measure(self) -> None:
        """Make a dry run of the draft, and show what it finds."""
        if not self._measuring and self.toml:
            self._measuring = True
            self._draw()
            self.run_worker(self._measure(self.toml), exit_on_error=False)

    async def _measure(self, toml: str) -> None:
        from arena.tui.collect.launch import read_dry_run

        try:
            self._dry = (toml, read_dry_run(await _measured(toml)))
        except (ArenaError, OSError) as error:
            cast("ArenaApp", self.app).report(error)
        finally:
            self._measuring = False
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if (checked := self._checked) is None:
            return
        pane = self.query_one("#toml")
        pane.set_class(not checked.toml, "-stale")
        pane.border_subtitle = "" if checked.toml or not self.toml else "before the errors"
        empty = join(("No TOML while there are errors.", "$foreground-muted"))
        _update(self.query_one("#toml-text", Static), toml_lines(self.toml) if self.toml else empty)
        _update(self.query_one("#time-text", Static), self._time(checked))

    def _time(self, checked: Checked) -> Content:
        if checked.config is None:
            return EMPTY
        if self._past is None:
            return LOADING
        dry = self._dry[1] if self._dry else None
        parts = [estimate_words(self.estimate, checked.config.steps, dry)]
        if self._measuring:
            parts.append(join(("dry run: measuring…", "$foreground-muted")))
        elif self._dry is not None:
            stale = self._dry[0] != checked.toml
            parts.append(dry_run_words(self._dry[1], stale))
        elif checked.config.kind == "train":
            parts.append(join(("d", "bold $footer-key-foreground"), (" measures it by a dry run", "$foreground-muted")))
        return join(*parts, between="\n\n")


def _update(shown: Static, content: Content) -> None:
    """Show other content: the same would be laid out anew."""
    if shown.content != content:
        shown.update(content)


async def _measured(toml: str) -> str:
    """What the dry run of a configuration prints. Raises ArenaError where it fails; ends with whoever waits for it."""
    from arena.runs.launch import job_environment
    from arena.tui.collect.launch import dry_run_command

    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "draft.toml"
        path.write_text(toml, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *dry_run_command(path), stdin=nothing, stdout=pipe, stderr=pipe, env=job_environment()
        )
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        words = errors.decode(errors="replace").strip().splitlines()
        raise ArenaError(f"The dry run failed: {one_line(words[-1] if words else str(process.returncode), 400)}")
    return output.decode(errors="replace")
