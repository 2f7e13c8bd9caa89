"""Run directories full of text that wants to do something to a terminal, written by the real writers.

Every place that a model, a player, a file or a server can fill holds escape sequences, C1 and bidi controls, markup,
wide and combining characters; some hold a line of a million characters.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import run_dirs

from arena.runs.lock import run_lock
from arena.runs.paths import CONFIG_JSON, CONFIG_TOML, RESULT_JSON, new_attempt_dir
from arena.runs.record import process_start, read_record
from arena.runs.rows import AskRow, HealthRow, MatchRow, MetricRow, PartialRow, RatingRow, TruthRow, TurnRow
from arena.runs.store import RunStore

MARK = "PWNED"
SEQUENCES = (
    f"\x1b[38;5;227;9m{MARK}", f"\x1b[77;777H{MARK}", "\x1b[2J", "\x1b[?1049l", "\x1b[?2004;77h", "\x1b[6n", "\x1b[c",
    f"\x1b]0;{MARK}\x07", f"\x1b]52;c;UFdORUQ=\x07{MARK}", f"\x1b]8;;http://{MARK}\x1b\\x\x1b]8;;\x1b\\",
    f"\x1bP+q{MARK}\x1b\\", f"\x1b_G{MARK}\x1b\\", "\x1bc", "\x1b(0", f"\x9b38;5;227m{MARK}", f"\x9d52;c;{MARK}\x9c",
    f"\x90{MARK}\x9c", "\x84\x85\x8d", "\x07\x08\x0b\x0c\x0e\x0f\x1a\x7f",
)  # fmt: skip
BIDI = "\u202e\u2066\u2069\u200f\u061c\u200b\u2060\ufeff\u180e\ufff9\U000e0041"
MARKUP = "[Bet] [/ [/] [b]x[/b] [@click=app.quit]x[/] [red]\\[ [$error]y [link=file:///etc]z[/link] {x} %s"
WIDE = "日本語ｗ 👩\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 e\u0301\u0302\u0303 Z\u0351\u036b\u0343 กำ 🇩🇪"
HOSTILE = "".join(SEQUENCES) + BIDI + MARKUP + WIDE
LINES = f"{HOSTILE}\r{MARK}\r\n\n{HOSTILE[::-1]}\n\u2028{MARK}\t\t|"
"""The same in several lines."""
LONG = (HOSTILE + "x" * 900) * (1_000_000 // (len(HOSTILE) + 900))
GAMES = (run_dirs.TICTACTOE, run_dirs.KUHN, f"no{HOSTILE}?a={MARK}")


def hostile_root(root: Path) -> Path:
    """A training at work, a failed one, a tournament, an ood run, a match and a match with a human."""
    root.mkdir(parents=True, exist_ok=True)
    training(root / f"training\x1b[38;5;227m{MARK}[Bet]")
    run_dirs.training(root / "failed", 6, of=9, end="failed", message=LONG[:50_000])
    rename(root / "failed", MARKUP)
    tournament(root / "tournament")
    table(root / "ood", "ood")
    table(root / "meeting", "head-to-head")
    match(root / "match", "match")
    match(root / "play", "play")
    run_dirs.corrupt(root / f"broken\x1b[2J{MARK}")
    return root


def training(run_dir: Path) -> Path:
    """A running training: this process is the one that runs it."""
    run_dirs.training(run_dir, 30, of=60, end="", started=run_dirs.NOW - 60)
    with RunStore(run_dir) as store:
        for step in (10, 20, 30):
            store.add_metrics(
                MetricRow(step, name, step / 60, game, HOSTILE, HOSTILE, step / 70, step / 50, 64)
                for name in ("score", "entropy", "optimal_move_rate", HOSTILE, f"seconds_{HOSTILE}")
                for game in GAMES
            )
        store.add_health([HealthRow(20, HOSTILE, word, LINES, 0.5) for word in ("warn", "alarm", HOSTILE)])
        store.add_health([HealthRow(21, "long", "alarm", LONG)])
        store.add_event(HOSTILE, LINES, 22, HOSTILE)
        store.add_event("note", LONG, 23)
        store.add_matches((_match(i, game, 30), _turns()) for i, game in enumerate(GAMES))
        store.set_partials(_partial(slot, game) for slot, game in enumerate((*GAMES, HOSTILE)))
        store.set_ratings([RatingRow(HOSTILE, 20.0, 10.0, 30.0, game, 30, HOSTILE) for game in ("", *GAMES)])
        store.set_truths([TruthRow(HOSTILE, game, HOSTILE, 0.4, 0.3, 0.5, 9, HOSTILE, 30) for game in GAMES])
    logs = new_attempt_dir(run_dir)
    for name in ("job.log", "stdout.log", "stderr.log"):
        (logs / name).write_bytes(f"{LINES}\n{LONG}\n{LINES}".encode("utf-8", "replace") + b"\x9b31m\xff\xfe\n")
    step = run_dir / "checkpoints" / "step_30"
    step.mkdir(parents=True)
    (step / "manifest.json").write_text(json.dumps({"step": 30, "files": {HOSTILE: {"sha256": HOSTILE, "bytes": 9}}}))
    config = json.loads((run_dir / CONFIG_JSON).read_text())
    config |= {"name": HOSTILE, "model": HOSTILE, HOSTILE: LINES, "long": LONG[:50_000], "list": [HOSTILE, 1]}
    return _finish(run_dir, config, alive=True)


def tournament(run_dir: Path) -> Path:
    """A running tournament with a result; its player names and games are hostile."""
    players = (f"ckpt:{HOSTILE}", "random", f"[/]{WIDE}{BIDI}")
    run_dirs.tournament(run_dir, 6, end="", players=players, started=run_dirs.NOW - 60)
    rows = [_result(game, a, b) for game in GAMES for a, b in ((players[0], players[1]), (players[0], players[2]))]
    ratings = [{"player": one, "rating": 9.0, "low": 1.0, "high": 20.0, "group": 0, "matches": 8} for one in players]
    truths = [
        {"player": players[0], "game": game, "measure": HOSTILE, "value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
        for game in GAMES
    ]
    result = {"schema": 1, "seed": 0, "results": rows, "ratings": ratings, "ground_truth": truths}
    (run_dir / RESULT_JSON).write_text(json.dumps(result | {"played": 6, "planned": 24}))
    with RunStore(run_dir) as store:
        store.add_matches(
            (replace(_match(100 + i, game, 0), a=players[0], b=players[1]), _turns()) for i, game in enumerate(GAMES)
        )
        store.set_partials([_partial(0, GAMES[0]), _partial(1, GAMES[2])])
    config = json.loads((run_dir / CONFIG_JSON).read_text()) | {"players": list(players), "games": list(GAMES)}
    return _finish(run_dir, config, alive=True)


def table(run_dir: Path, kind: str) -> Path:
    """A finished run of the kind, with tables."""
    tournament(run_dir)
    result = json.loads((run_dir / RESULT_JSON).read_text())
    players = list(dict.fromkeys(row[side] for row in result["results"] for side in "ab"))
    change = {"score": 0.5, "change": 0.1, "low": 0.0, "high": 0.2, "unit": "points", "kind": HOSTILE}
    result |= {
        "players": [{"player": one, "trained_on": [HOSTILE], "games": [HOSTILE]} for one in players],
        "changes": [change | {"player": players[0], "opponent": players[1], "game": game} for game in GAMES],
        "matrix": [{"game": game, "player": players[0], "kind": "own"} for game in GAMES],
        "finished": True,
    }
    if kind == "ood":
        average = {"score": 0.4, "low": 0.3, "high": 0.5, "change": None, "games": 2, "over": HOSTILE}
        result |= {"base": players[0], "averages": [average | {"player": players[0], "opponent": HOSTILE}]}
    (run_dir / RESULT_JSON).write_text(json.dumps(result))
    config = json.loads((run_dir / CONFIG_JSON).read_text()) | {"kind": kind, "games": [GAMES[0]]}
    (run_dir / CONFIG_JSON).write_text(json.dumps(config | ({"base": players[0]} if kind == "ood" else {})))
    with RunStore(run_dir) as store:
        store.add_event("finished", HOSTILE)
    replace(read_record(run_dir), kind=kind).write(run_dir)
    return run_dir


def match(run_dir: Path, kind: str) -> Path:
    """One match; with kind `play` it is at work, and a human is asked for a move."""
    run_dirs.tournament(run_dir, 0, end="", started=run_dirs.NOW - 60)
    config: dict[str, Any] = {"kind": kind, "game": "simple_negotiation", "players": ["human", HOSTILE], "seed": 0}
    if kind == "match":
        config |= {"game": GAMES[2], "players": [HOSTILE, MARKUP]}
    with RunStore(run_dir) as store:
        ask = AskRow(
            0, 1, config["game"], "human", HOSTILE, "move", 0, HOSTILE, 2, 0, LINES, "", LINES, "null", HOSTILE,
            HOSTILE, json.dumps(_moves()), True, 1, True, "null", 0,
        )  # fmt: skip
        if kind == "play":
            store.set_ask(ask, _partial(0, config["game"]))
        else:
            store.add_match(_match(0, config["game"], 0), _turns())
            store.add_event("finished", HOSTILE)
    replace(read_record(run_dir), kind=kind).write(run_dir)
    return _finish(run_dir, config, alive=True)


def rename(run_dir: Path, name: str) -> None:
    replace(read_record(run_dir), name=name).write(run_dir)


def _finish(run_dir: Path, config: dict[str, Any], alive: bool) -> Path:
    (run_dir / CONFIG_JSON).write_text(json.dumps(config))
    (run_dir / CONFIG_TOML).write_text(f"# {HOSTILE}\n".replace("\r", ""))
    record = replace(read_record(run_dir), name=HOSTILE, host=read_record(run_dir).host, argv=[HOSTILE], parent=HOSTILE)
    if alive:
        record = replace(record, pid=os.getpid(), pid_start=process_start(os.getpid()) or "")
    record.write(run_dir)
    with run_lock(run_dir):
        (run_dir / "lock").write_text(HOSTILE)
    return run_dir


def _match(number: int, game: str, step: int) -> MatchRow:
    return MatchRow(
        number, game, HOSTILE, MARKUP, number, 0, 7, -1.0, 1.0, "a", 3, 1, 0.4, LINES, step, run_dirs.NOW - 9
    )


def _turns() -> list[TurnRow]:
    texts = [(LINES, "4"), (LONG, "[Bet]"), (HOSTILE, None)]
    return [
        TurnRow(
            turn, 0, turn % 2, LINES, text, HOSTILE, text, action and f"{action}{HOSTILE}", "" if action else LINES,
            HOSTILE, 40, 16, 4, 0.2, LINES if action else "",
        )
        for turn, (text, action) in enumerate(texts)
    ]  # fmt: skip


def _moves() -> list[dict[str, Any]]:
    return [
        {
            "turn": turn, "attempt": 0, "seat": turn % 2, "action": HOSTILE, "answer": LINES, "illegal": "",
            "thought": LONG[:20_000],
        }
        for turn in range(2)
    ]  # fmt: skip


def _partial(slot: int, game: str) -> PartialRow:
    turns = json.dumps([{name: getattr(turn, name) for name in TurnRow.__slots__} for turn in _turns()[::2]])
    return PartialRow(slot, game, HOSTILE, WIDE, slot, 0, 2, slot % 2, LINES + LONG[:20_000], LINES, turns, 30)


def _result(game: str, a: str, b: str) -> dict[str, Any]:
    counts = {"pairs": 4, "wins": 5, "draws": 1, "losses": 2, "forfeits_a": 1, "forfeits_b": 0, "voids": 1}
    score = {"score": 0.6, "low": 0.4, "high": 0.8, "seat_effect": 0.1, "seat_effect_low": 0.0, "seat_effect_high": 0.2}
    return {"game": game, "a": a, "b": b, "unit": "points", "distinct": 7} | counts | score
