"""Runs with matches for tests of the live screen: really played by players that say what they are told."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from arena.config.tournament import MatchConfig, TournamentConfig
from arena.core.answer import split_reply
from arena.core.match import play
from arena.core.player import Reply, View
from arena.core.registry import GameSpec
from arena.runs.launch import create_run
from arena.runs.record import process_start, read_record
from arena.runs.rows import MatchRow, PartialRow, TurnRow
from arena.runs.store import RunStore
from evals.match_log import MatchLog, match_row
from evals.schedule import PlannedMatch

KUHN = "kuhn_poker?hands=1&payoff=chips"
AT = 1_790_000_000.0
BLUNDER = ("Corner.\n[0]", "Wins -. Risks -. I play 1.\n[1]", "Centre.\n[4]", "It must stop 8.\n[8]", "[6]",
           "Row or column?\n[3]", "Wins 2.\n[2]")  # fmt: skip
"""TicTacToe in which O blunders with its first move and X wins."""
HOSTILE = (
    "[Bet]", "[/", "[@click=app.quit]x[/]", "\x1b]0;owned\x07\x1b[31mred\x1b[0m", "e\u0301\u0301 字 👩‍👩‍👧 \u202etfel",
    "[bold red]loud[/]", "{literal} $primary", "a\rb\tc\x00d",
)  # fmt: skip
"""What models and servers may write."""


@dataclass
class Says:
    """Gives the replies it is told, the last one for ever."""

    name: str
    replies: list[str] = field(default_factory=list)
    sees_state: bool = False

    async def act(self, view: View) -> Reply:
        text = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        thought, answer = split_reply(text)
        return Reply(text, thought, answer, seconds=0.4)

    async def close(self) -> None:
        return None


def played(
    replies: Sequence[str],
    game: str = "tictactoe",
    a: str = "kuhn-ttt-7@84",
    b: str = "ckpt:tiny",
    number: int = 0,
    leg: int = 0,
    key: int = 7,
    retries: int = 1,
) -> tuple[MatchRow, list[TurnRow]]:
    """A match in which these replies are given in order, whoever is to act."""
    planned = PlannedMatch(number, GameSpec.parse(game), a, b, number // 2, leg, key)
    log, queue = MatchLog(), list(replies)
    seats = (Says(planned.seats[0], queue), Says(planned.seats[1], queue))

    async def go() -> None:
        async for event in play(planned.game, seats, key, retries):
            log.add(event)

    with suppress(StopIteration):  # these players never wait, so that this works inside an event loop too
        go().send(None)
    return replace(match_row(planned, log, 0, 1.5), at=AT), log.turns


def partial(
    match: tuple[MatchRow, list[TurnRow]], replies: int, text: str = "", slot: int = 0, ended: bool = False
) -> PartialRow:
    """The match in the live view once so many replies are given."""
    row, turns = match
    given = turns[:replies]
    boards = [row.board, *(turn.board for turn in given if turn.action is not None)]
    ending = ended or replies >= len(turns)
    number = given[-1].turn + (given[-1].action is not None) if given else 0
    told = json.dumps([asdict(turn) for turn in given])
    return PartialRow(
        slot, row.game, row.a, row.b, row.pair, row.leg, number,
        -1 if ending else turns[replies].seat, text, boards[-1], told, row.step, AT,
    )  # fmt: skip


def run_of(
    run_dir: Path,
    matches: Sequence[tuple[MatchRow, list[TurnRow]]] = (),
    partials: Sequence[PartialRow] = (),
    end: str = "finished",
    message: str = "",
) -> Path:
    """A tournament with these matches; without an `end` this very process runs it."""
    config = TournamentConfig(players=["kuhn-ttt-7@84", "ckpt:tiny"], games=["tictactoe"], pairs=2)
    return _write(run_dir, "tournament", config, matches, partials, end, message)


def match_run(run_dir: Path, match: tuple[MatchRow, list[TurnRow]] | None, end: str = "finished") -> Path:
    """The run of a single match."""
    config = MatchConfig(game="tictactoe", players=("kuhn-ttt-7@84", "ckpt:tiny"))
    return _write(run_dir, "match", config, [match] if match else [], [], end, "")


def _write(run_dir, kind, config, matches, partials, end, message):  # type: ignore[no-untyped-def]
    create_run(config, kind, run_dir, name=run_dir.name)
    with RunStore(run_dir) as store:
        store.add_event("started", "pid 1")
        if matches:
            store.add_matches(matches)
        store.set_partials(partials)
        if end:
            store.add_event(end, message)
    record = replace(read_record(run_dir), started_at=AT)
    if not end:
        record = replace(record, pid=os.getpid(), pid_start=process_start(os.getpid()) or "")
    record.write(run_dir)
    return run_dir


def many(run_dir: Path, count: int) -> Path:
    """A finished run with so many matches, of which the newest alone have turns."""
    row, turns = played(BLUNDER)
    run_of(run_dir, end="")
    with RunStore(run_dir) as store:
        store.add_matches(
            (replace(row, number=number, pair=number, game=("tictactoe", "snake")[number % 50 == 0]),
             turns if number >= count - 3 else [])
            for number in range(count)
        )  # fmt: skip
        store.add_event("finished", "")
    return run_dir
