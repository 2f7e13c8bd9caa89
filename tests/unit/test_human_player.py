"""The player `human`: a move reaches the turn that it is for and no other; no job but play has it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from arena.cli.app import main
from arena.core.errors import UsageError
from arena.core.player import Reply, View
from arena.core.registry import PlayerSpec, load_player, player_info
from arena.players.human import Desk, HumanPlayer, Question
from arena.runs.requests import RequestStore


def view(turn: int = 0, attempt: int = 0, seat: int = 0) -> View:
    def sample(rng: random.Random) -> str:
        return "[4]"

    return View("tictactoe", {}, seat, "rules", "board", ["[4]"], sample, 1, turn, attempt)


async def asked(player: HumanPlayer, about: View) -> asyncio.Task[Reply]:
    task = asyncio.create_task(player.act(about))
    await asyncio.sleep(0)
    return task


def test_a_move_answers_the_question_that_it_is_addressed_to(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        player = HumanPlayer(desk)
        task = await asked(player, view(turn=2, attempt=1))
        with RequestStore(tmp_path) as store:
            for address in ((1, 2, 1), (0, 1, 1), (0, 2, 0)):
                store.move(*address, "wrong")
            assert [request.text for request in desk.requests()] == ["wrong"] * 3
            store.move(0, 2, 1, " [4] ")
            assert list(desk.requests()) == []
        reply = await task
        assert (reply.text, reply.answer, reply.thought, desk.seen) == (" [4] ", "[4]", "", 4)
        assert reply.seconds > 0

    asyncio.run(run())


def test_what_follows_a_move_waits_until_the_move_is_made(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        with RequestStore(tmp_path) as store:
            store.move(0, 0, 0, "[4]")
            store.move(0, 0, 0, "[5]")
            undo = store.undo(0, 1)
        task = await asked(HumanPlayer(desk), view())
        assert list(desk.requests()) == []
        assert (desk.seen, (await task).text) == (1, "[4]")
        assert [(request.kind, request.text) for request in desk.requests()] == [("move", "[5]"), ("undo", "")]
        assert desk.seen == undo

    asyncio.run(run())


def test_an_earlier_answer_is_not_given_again_when_the_same_question_returns(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        player = HumanPlayer(desk)
        for text in ("[4]", "[5]"):
            desk.open(Question(0, 0, 0))
            task = await asked(player, view())
            assert not task.done()
            with RequestStore(tmp_path) as store:
                store.move(0, 0, 0, text)
            assert list(desk.requests()) == []
            assert (await task).text == text

    asyncio.run(run())


def test_a_move_that_comes_before_the_player_waits_is_not_lost(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        desk.open(Question(0, 0, 0))
        with RequestStore(tmp_path) as store:
            store.move(0, 0, 0, "[4]")
        assert list(desk.requests()) == []
        assert (await HumanPlayer(desk).act(view())).text == "[4]"

    asyncio.run(run())


def test_waiting_ends_when_it_is_cancelled_and_can_begin_again(tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path)
        task = await asked(HumanPlayer(desk), view())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with RequestStore(tmp_path) as store:
            store.move(0, 0, 0, "[4]")
        assert len(list(desk.requests())) == 1
        assert not (await asked(HumanPlayer(desk), view())).done()

    asyncio.run(run())


def test_a_deleted_control_database_begins_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path, seen=57)
    with RequestStore(tmp_path) as store:
        store.resign(0)
    assert [request.kind for request in desk.requests()] == ["resign"]
    assert Desk(tmp_path, seen=57).seen == 1


def test_human_is_listed_and_refused_outside_a_play_job() -> None:
    assert player_info("human").syntax == "human"
    with pytest.raises(UsageError, match="spiral-arena play"):
        load_player("human")
    assert PlayerSpec.parse("human").backend == "human"


@pytest.mark.parametrize(
    "args",
    [
        ["tournament", "--player", "human", "random", "--game", "tictactoe"],
        ["match", "tictactoe", "random", "human"],
        ["head-to-head", "human", "random", "--game", "snake"],
        ["ood", "human", "--game", "snake"],
        ["train", "quickstart", "--set", "evaluation.opponents=['human']"],
        ["play", "tictactoe", "--against", "human:Ann"],
    ],
)
def test_other_commands_refuse_human_in_one_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "spiral-arena play GAME --against SPEC" in err
    assert list(tmp_path.iterdir()) == []
