"""What tests of the Launch screen do: open it, go to a field by its key, type, look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from conftest import make_app, wait_for
from textual.pilot import Pilot
from textual.widget import Widget

from arena.tui.app import ArenaApp
from arena.tui.collect.fields import Key
from arena.tui.screens.base import ErrorLine, TitleBar
from arena.tui.screens.launch import LaunchScreen
from arena.tui.widgets.form import EDITORS, Form
from arena.tui.widgets.form_fields import ChoiceField, Row, Words
from arena.tui.widgets.form_folds import Fold, Union
from arena.tui.widgets.launch_aside import Aside
from arena.tui.widgets.launch_words import OriginLine

Steps = Callable[[ArenaApp, Pilot[None], LaunchScreen], Awaitable[None]]


def show(root: Path, steps: Steps, preset: str = "", size: tuple[int, int] = (120, 36)) -> None:
    """Open the form, wait until all is read, and do the steps."""

    async def go() -> None:
        app = make_app(root)
        async with app.run_test(size=size) as pilot:
            app.open_launch(preset)
            await wait_for(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.query(Aside))
            screen = app.screen
            assert isinstance(screen, LaunchScreen)
            await wait_for(pilot, lambda: aside(screen).read)
            await steps(app, pilot, screen)

    asyncio.run(go())


def aside(screen: LaunchScreen) -> Aside:
    return screen.query_one(Aside)


def part(screen: LaunchScreen, key: Key) -> Row | Fold:
    """The row or fold of a field."""
    return next(one for one in screen.query_one(Form)._parts() if one.key == key)


async def go_to(pilot: Pilot[None], screen: LaunchScreen, key: Key) -> Row | Fold:
    """Open the folds around a field with the keys, and put the cursor on it."""
    await wait_for(pilot, lambda: screen.query(Form))
    while closed := [fold for fold in screen.query(Fold) if fold.covers(key) and fold.key != key and not fold.is_open]:
        await press_open(pilot, closed[0], "enter")
    found = part(screen, key)
    editor(found).focus()
    await pilot.pause()
    return found


async def press_open(pilot: Pilot[None], fold: Fold, key: str) -> None:
    """Open a fold with a key."""
    fold.head.focus()
    await pilot.press(key)
    await wait_for(pilot, lambda: fold.is_open and fold.body.children)


def editor(found: Row | Fold) -> Widget:
    return next(child for child in found.query("*") if isinstance(child, EDITORS))


async def type_into(pilot: Pilot[None], screen: LaunchScreen, key: Key, text: str) -> None:
    """Put text into a field instead of what is there, with the keys."""
    await go_to(pilot, screen, key)
    await pilot.press("home", "ctrl+k", *text)


async def choose(pilot: Pilot[None], screen: LaunchScreen, key: Key, word: str) -> None:
    """Choose a word of a field, or another group of a union."""
    fold = part(screen, key) if len(key) == 1 else await go_to(pilot, screen, key)
    if isinstance(fold, Union) and not fold.is_open:
        await press_open(pilot, fold, "right")
    field = fold.query(ChoiceField).first()
    field.focus()
    for _ in range(6):
        if field.chosen == word:
            break
        await pilot.press("space")
    assert field.chosen == word
    await pilot.pause()


def said(screen: LaunchScreen, key: Key) -> str:
    """What stands below a field; empty where nothing does."""
    words = part(screen, key).query(Words).first()
    return str(words.content) if words.display else ""


async def until_said(pilot: Pilot[None], screen: LaunchScreen, key: Key, text: str) -> None:
    await wait_for(pilot, lambda: text in said(screen, key))


def summary(screen: LaunchScreen) -> str:
    return screen.query_one(TitleBar).summary.plain


def red_line(screen: LaunchScreen) -> str:
    return screen.query_one(ErrorLine).text


def origin(screen: LaunchScreen) -> str:
    return screen.query_one(OriginLine).render().plain


def toasts(app: ArenaApp) -> str:
    return "\n".join(note.message for note in app._notifications)


def text_of(app: ArenaApp) -> str:
    """All lines on screen."""
    return "\n".join(line.text for line in app.screen._compositor.render_strips())
