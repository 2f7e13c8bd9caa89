"""`python -m evals.check SPEC`: ask a player for one move of TicTacToe, and say what came of it.

The question goes the way of every other: the same prompt, request, capture of the thought and reading of the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.config.checks import check_players
from arena.core.errors import ArenaError, UsageError
from arena.core.game import Illegal
from arena.core.match import make_view
from arena.core.player import Player, Reply
from arena.core.program import run_program
from arena.core.registry import GameSpec, PlayerSpec, player_module
from arena.core.sanitise import one_line

GAME = "tictactoe"
DEADLINE = 60.0
"""Seconds for the answer, unless the spec says."""
_SHOWN = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Check the player; returns the exit code: 0 it answered, 1 it did not, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m evals.check", description="Ask a player for one move.")
    parser.add_argument("spec")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    return run_program(lambda: _main(args.spec, args.json))


def _main(name: str, as_json: bool) -> int:
    game = GameSpec.parse(GAME)
    (spec,) = check_players([name], [game])
    if "deadline" in player_module(spec.backend).INFO.options:
        spec = replace(spec, options={"deadline": DEADLINE} | dict(spec.options))
    try:
        row = asyncio.run(_ask(spec, game))
    except UsageError:
        raise
    except ArenaError as error:
        if not as_json:
            raise
        row = {"spec": name, "ok": False, "error": one_line(str(error), 1000)}
    if as_json:
        print(json.dumps(row, indent=2))
    else:
        _print(row)
    return 0 if row["ok"] else 1


async def _ask(spec: PlayerSpec, game: GameSpec) -> dict[str, Any]:
    player = cast(Player, player_module(spec.backend).load(spec))
    try:
        state = game.new(0)
        reply = await player.act(make_view(game, state, player, 0))
        action = state.parse(reply.answer)
    finally:
        await player.close()
    return {
        "spec": spec.name,
        "ok": True,
        "model": getattr(player, "model", None),
        "host": getattr(player, "host", None),
        "sent": getattr(player, "sent", []),
        "left_out": getattr(player, "left_out", []),
        **_facts(reply),
        "answer": reply.answer,
        "legal": not isinstance(action, Illegal),
        "illegal": action.reason if isinstance(action, Illegal) else "",
        "error": None,
    }


def _facts(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    return {
        "thought": {"kind": reply.thought_kind, "source": reply.thought_source, "characters": len(reply.thought)},
        "tokens": {
            "prompt": usage.prompt_tokens,
            "completion": usage.completion_tokens,
            "reasoning": usage.reasoning_tokens,
        },
        "seconds": round(reply.seconds, 3),
        "finish_reason": reply.finish_reason,
    }


def _print(row: dict[str, Any]) -> None:
    thought, tokens = row["thought"], row["tokens"]
    words = [thought["kind"], f"from {thought['source']}" if thought["source"] else ""]
    words.append(f"{thought['characters']:,} characters")
    lines = {
        "player": row["spec"],
        "model": row["model"],
        "host": row["host"],
        "fields accepted": ", ".join(row["sent"]),
        "fields refused": ", ".join(row["left_out"]),
        "thought": ", ".join(filter(None, words)),
        "tokens": f"{tokens['prompt']} in, {tokens['completion']} out ({tokens['reasoning']} of thought)",
        "seconds": f"{row['seconds']:.2f}",
        "ended by": row["finish_reason"],
        "answer": row["answer"] or "none",
        "which is": "a legal move" if row["legal"] else f"no legal move: {row['illegal']}",
    }
    table = Table.grid(padding=(0, 2))
    for name, value in lines.items():
        if value:
            table.add_row(Text(name), Text(one_line(str(value), _SHOWN)))
    Console(markup=False, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
