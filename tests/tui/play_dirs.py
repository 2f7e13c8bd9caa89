"""Matches with a human for tests of the screen Play, written by the real store and said to run in another process."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from run_dirs import NOW

from arena.config.play import PlayConfig
from arena.core.keys import match_key
from arena.core.registry import GameSpec
from arena.runs.launch import create_run
from arena.runs.record import process_start, read_record
from arena.runs.rows import AskRow, MatchRow, PartialRow, TurnRow
from arena.runs.store import RunStore


def new(run_dir: Path, game: str = "tictactoe", players: tuple[str, str] = ("human", "random"), seed: int = 5) -> Path:
    """A match whose job has begun and stored nothing yet; the parent of this process is said to be its job."""
    create_run(PlayConfig(game=game, players=players, seed=seed), "play", run_dir, name=run_dir.name)
    there = os.getppid()
    record = replace(read_record(run_dir), started_at=NOW - 60, pid=there, pid_start=process_start(there) or "")
    record.write(run_dir)
    with RunStore(run_dir) as store:
        store.add_event("started", f"pid {there}")
    return run_dir


def gone(run_dir: Path) -> Path:
    """Its process is there no more."""
    replace(read_record(run_dir), pid=2**22 + 1, pid_start="gone").write(run_dir)
    return run_dir


def asked(run_dir: Path, actions: str | list[str], thoughts: str = "", partial: str = "", **changes: Any) -> AskRow:
    """Store the match after these actions as it stands, with the opponent's thought at each of its moves.

    `partial` is the opponent's growing reply. `changes` go into what the human is shown.
    """
    config = json.loads((run_dir / "config.json").read_text(encoding="utf-8"))
    spec = GameSpec.parse(config["game"])
    state = first = spec.new(match_key(config["seed"], spec.name, 0))
    a, b = config["players"]
    seat = 0 if a == "human" else 1
    info = spec.game.INFO
    turns: list[TurnRow] = []
    for turn, given in enumerate(actions):
        to_act = state.to_act
        assert to_act is not None
        action = f"[{given}]" if len(given) == 1 else given
        observation, thought = state.observe(to_act), thoughts if to_act != seat else ""
        state = state.apply(action)
        text, board = f"{thought}\n{action}", state.board()
        turns.append(
            TurnRow(turn, 0, to_act, observation, thought, action, text, action, "", "stop", 0, 0, 0, 0.1, board)
        )
    open_ended = info.hidden and state.to_act is not None
    moves = [{name: asdict(row)[name] for name in MOVE} for row in turns if row.seat == seat or not open_ended]
    over, turn = state.to_act is None, len(actions)
    ask = AskRow(
        0, turn + 1, spec.name, a, b,
        "end" if over else "move" if state.to_act == seat else "wait",
        seat, info.roles[seat], turn, 0, state.observe(seat), "" if info.hidden and not over else state.board(),
        state.rules(seat), json.dumps(state.legal() if state.to_act == seat else None), "", "", json.dumps(moves),
        bool(moves) and not info.hidden and not over, 0, info.hidden, json.dumps(state.returns()), 0, NOW - 3,
    )  # fmt: skip
    ask = replace(ask, **changes)
    row = PartialRow(
        0, spec.name, a, b, 0, 0, turn, -1 if over else state.to_act or 0, partial, state.board(),
        json.dumps([asdict(row) for row in turns]),
    )  # fmt: skip
    with RunStore(run_dir) as store:
        if ask.status == "end":
            returns = json.loads(ask.returns)
            forfeit = changes.get("forfeit", "")
            store.end_ask(
                ask,
                MatchRow(0, spec.name, ask.a, ask.b, 0, 0, 7, *returns, forfeit, turn, 0, 1.0, first.board(), at=NOW),
                turns,
            )
            store.add_event("finished", "")
        else:
            store.set_ask(ask, row)
    return ask


MOVE = ("turn", "attempt", "seat", "action", "answer", "illegal", "thought")
