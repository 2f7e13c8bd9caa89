"""The command palette: every binding with an id "noun.verb" is a command "noun: verb", and screens may add more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from arena.tui.app import ArenaApp
from arena.tui.settings import keep_theme
from arena.tui.text import line


class Command(NamedTuple):
    """One line of the palette."""

    name: str
    """Such as "run: stop"."""
    help: str
    do: Callable[[], object]


class ArenaCommands(Provider):
    """Commands that make sense now: enabled bindings, what the active screen adds, and themes."""

    async def discover(self) -> Hits:
        for command in self._commands():
            yield DiscoveryHit(line(command.name), command.do, text=command.name, help=command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in (*self._commands(), *self._themes()):
            if (score := matcher.match(command.name)) > 0:
                shown = matcher.highlight(line(command.name).plain)
                yield Hit(score, shown, command.do, text=command.name, help=command.help)

    def _commands(self) -> Iterator[Command]:
        seen: set[str] = set()
        for node, binding, enabled, tooltip in self.screen.active_bindings.values():
            noun, _, verb = (binding.id or "").partition(".")
            name = f"{noun}: {verb.replace('_', ' ')}"
            if not verb or not enabled or name in seen:
                continue
            seen.add(name)
            yield Command(name, tooltip or binding.description, partial(self.app.run_action, binding.action, node))
        if (more := getattr(self.screen, "commands", None)) is not None:
            yield from more()

    def _themes(self) -> Iterator[Command]:
        app = self.app
        assert isinstance(app, ArenaApp)
        for name in sorted(app.available_themes):
            yield Command(f"theme: {name}", "Kept until you choose another.", partial(_choose, app, name))


def _choose(app: ArenaApp, theme: str) -> None:
    app.theme = theme
    try:
        keep_theme(theme)
    except OSError as error:
        app.say(f"The theme is not kept: {error.strerror}.", "warning")
