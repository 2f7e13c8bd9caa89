"""Pictures of the screen Play in each of its states, at 80×24 and 120×36."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import play_dirs
import pytest
from conftest import make_app, wait_for
from run_dirs import training
from textual.pilot import Pilot

from arena.tui.app import ArenaApp
from arena.tui.collect.play import Choices, Play
from arena.tui.screens.base import ErrorLine
from arena.tui.screens.play import PlayScreen
from arena.tui.widgets.table import Table

SnapCompare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
BOTH = pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=["80x24", "120x36", "200x60"])


def app_of(pilot: Pilot[None]) -> ArenaApp:
    assert isinstance(pilot.app, ArenaApp)
    return pilot.app


async def listed(pilot: Pilot[None]) -> None:
    """The form has its lists."""
    screen = pilot.app.screen
    await wait_for(pilot, lambda: screen.query("#opponents") and screen.query_one("#opponents", Table).items)


def opened(run_dir: Path, *keys: str, phase: str = "") -> Before:
    """Open a match, wait until it stands there, press keys."""

    async def before(pilot: Pilot[None]) -> None:
        app = app_of(pilot)
        app.open_run(run_dir)

        def there() -> bool:
            play: Play | None = getattr(app.screen, "_play", None)
            # Keys go to what has the focus, which the screen gives after it has shown the match.
            ready = phase != "move" or app.focused is not None
            return play is not None and (not phase or play.phase == phase) and ready

        await wait_for(pilot, there)
        await pilot.press(*keys)
        await pilot.pause()

    return before


@SIZES
def test_form(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    training(root / "kuhn-ttt-7", 3, of=5)

    async def before(pilot: Pilot[None]) -> None:
        app = app_of(pilot)
        app.open_play("ckpt:kuhn-ttt-7", "kuhn_poker?hands=1")
        await wait_for(
            pilot, lambda: app.screen.query("#opponents") and app.screen.query_one("#opponents", Table).items
        )
        await pilot.pause()

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_form_with_an_error(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        app = app_of(pilot)
        app.open_play("rando", "tictactoe")
        await wait_for(
            pilot, lambda: app.screen.query("#opponents") and app.screen.query_one("#opponents", Table).items
        )
        await pilot.press("ctrl+s")
        await wait_for(pilot, lambda: "Did you mean" in str(app.screen.query_one("#twin").render()))

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_form_loading(
    root: Path, snap_compare: SnapCompare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(root: Path) -> Choices:
        release.wait(30)
        return Choices((), (), (), ())

    monkeypatch.setattr("arena.tui.widgets.play_form.choices", slow)

    async def before(pilot: Pilot[None]) -> None:
        app = app_of(pilot)
        app.open_play()
        await wait_for(pilot, lambda: app.screen.query("#opponents"))

    app = make_app(root)
    take = app.export_screenshot

    def take_and_release(**options: object) -> str:
        """The picture comes first: leaving waits for the thread."""
        picture = take(**options)  # type: ignore[arg-type]
        release.set()
        return picture

    monkeypatch.setattr(app, "export_screenshot", take_and_release)
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_starting(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", players=("human", "ckpt:tiny"))
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir))


@BOTH
def test_cells(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", players=("human", "ckpt:tiny"))
    play_dirs.asked(run_dir, "40", thoughts="Wins -. Risks -. I play 0.")
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, "right", phase="move"))


@BOTH
def test_columns(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", "connect_four", ("optimal", "human"))
    play_dirs.asked(run_dir, "33422", thoughts="The middle is best.")
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, "t", phase="move"))


@SIZES
def test_thinking(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", players=("human", "ckpt:tiny"))
    play_dirs.asked(run_dir, "408", thoughts="Wins -. Risks -. I play 0.", partial="Wins -. Risks 2")
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, "t", phase="wait"))


@SIZES
def test_hidden_information(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", "kuhn_poker", ("human", "ckpt:tiny"), seed=4)
    play_dirs.asked(run_dir, ["[check]", "[bet]"], thoughts="Value: K beats 2 of 2.")
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, phase="move"))


@SIZES
def test_a_long_list(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", "liars_dice", ("human", "ckpt:tiny"))
    play_dirs.asked(run_dir, ["[Bid: 2, 3]", "[Bid: 3, 3]"])
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, "5", phase="move"))


@SIZES
def test_free_text_refused(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", "simple_negotiation", ("human", "ckpt:tiny"))
    reason = "you offer 99 Wood but hold 10 Wood, 10 Gold"
    play_dirs.asked(run_dir, [], illegal=reason, attempt=1)
    app = make_app(root)
    before = opened(run_dir, *"[Offer: 99 Wood", phase="move")
    assert snap_compare(app, terminal_size=size, run_before=before)


@SIZES
def test_won(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m", players=("human", "ckpt:tiny"))
    play_dirs.asked(run_dir, "04152", thoughts="Wins -. Risks -. I play here.")
    play_dirs.gone(run_dir)
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, phase="ended"))


@SIZES
def test_failed_job(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    from arena.runs.store import RunStore

    run_dir = play_dirs.new(root / "m", players=("human", "ckpt:tiny"))
    play_dirs.asked(run_dir, "4")
    with RunStore(run_dir) as store:
        store.add_event("failed", "The opponent could not answer: [b]no memory[/b]. Resume to try it again.")
    play_dirs.gone(run_dir)
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, phase="failed"))


@SIZES
def test_failed_read(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m")
    play_dirs.asked(run_dir, "40")
    first = opened(run_dir, phase="move")

    async def before(pilot: Pilot[None]) -> None:
        await first(pilot)
        (run_dir / "run.json").write_text("{", encoding="utf-8")
        line = pilot.app.screen.query_one(ErrorLine)
        await wait_for(pilot, lambda: "damaged" in line.text)

    assert snap_compare(make_app(root), terminal_size=size, run_before=before)


@SIZES
def test_rules(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m")
    play_dirs.asked(run_dir, "")
    assert snap_compare(make_app(root), terminal_size=size, run_before=opened(run_dir, "i", phase="move"))


@SIZES
def test_help(root: Path, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    run_dir = play_dirs.new(root / "m")
    play_dirs.asked(run_dir, "")
    before = opened(run_dir, "question_mark", phase="move")
    assert snap_compare(make_app(root), terminal_size=size, run_before=before)
    assert PlayScreen.HELP
