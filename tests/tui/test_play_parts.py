"""The parts of the screen Play that are plain functions: what is read, what is said, where marks stand."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import play_dirs
import pytest

from arena.config.play import PlayConfig
from arena.core.errors import ArenaError, UsageError
from arena.core.registry import GameSpec, game_ids
from arena.core.sanitise import plain
from arena.runs.launch import create_run
from arena.runs.paths import run_dirs
from arena.runs.record import read_record
from arena.runs.store import RunStore
from arena.tui.collect.play import Play, PlayReader, adapted, choices, start
from arena.tui.widgets.answer import options
from arena.tui.widgets.marks import SHAPES, read_marks
from arena.tui.widgets.play_words import formats, outcome, position, prompt


def read(run_dir: Path) -> Play:
    return PlayReader(run_dir).read()


def said(play: Play, **more: object) -> str:
    return prompt(play, {}, 3.0, **more).plain  # type: ignore[arg-type]


# -- reading ------------------------------------------------------------------------------------------------


def test_phases_follow_the_job_and_what_it_asks(root: Path) -> None:
    run_dir = play_dirs.new(root / "m")
    assert read(run_dir).phase == "starting"
    play_dirs.asked(run_dir, "")
    assert (read(run_dir).phase, read(run_dir).legal) == ("move", tuple(f"[{cell}]" for cell in range(9)))
    play_dirs.asked(run_dir, "4", partial="I think")
    assert (read(run_dir).phase, read(run_dir).growing, read(run_dir).legal) == ("wait", "I think", None)
    with RunStore(run_dir) as store:
        store.add_event("stopped", "")
    assert read(run_dir).phase == "starting", "its process is about to end, or has begun again"
    play_dirs.gone(run_dir)
    assert read(run_dir).phase == "stopped"
    with RunStore(run_dir) as store:
        store.add_event("started", "")
    assert read(run_dir).phase == "dead"
    with RunStore(run_dir) as store:
        store.add_event("failed", "no weights")
    assert (read(run_dir).phase, read(run_dir).problem) == ("failed", "no weights")
    play_dirs.asked(run_dir, "04152", thoughts="hm")
    over = read(run_dir)
    assert (over.phase, over.over, over.going, over.returns) == ("ended", True, False, (1.0, -1.0))
    assert over.match is not None


def test_a_match_that_never_got_a_process_is_dead_though_its_writer_lives(root: Path) -> None:
    run_dir = create_run(PlayConfig(game="tictactoe", players=("human", "random")), "play", root / "m")
    assert read_record(run_dir).pid == os.getpid()
    assert read(run_dir).phase == "dead"


def test_growing_thoughts_are_read_only_where_nothing_is_hidden(root: Path) -> None:
    run_dir = play_dirs.new(root / "m", "kuhn_poker")
    play_dirs.asked(run_dir, ["[check]"], thoughts="my card is a secret", partial="my card is a secret")
    assert "secret" not in repr(read(run_dir))
    assert read(run_dir).secret


def test_what_is_damaged_or_gone_is_one_clear_line(root: Path) -> None:
    run_dir = play_dirs.new(root / "m")
    play_dirs.asked(run_dir, "", legal="{")
    with pytest.raises(ArenaError, match="cannot be read"):
        read(run_dir)
    (run_dir / "run.db").write_bytes(b"no database" * 400)
    with pytest.raises(ArenaError):
        read(run_dir)
    with pytest.raises(ArenaError):
        read(root / "nowhere")


def test_choices_are_checkpoints_the_bundled_model_bots_and_a_second_human(all_runs: Path) -> None:
    found = choices(all_runs)
    specs = [one.spec for one in found.opponents]
    assert specs[:1] == ["ckpt:tiny"]
    assert {"random", "scripted", "optimal", "human"} <= set(specs)
    assert {game.id for game in found.games} == set(game_ids())
    snake = next(game for game in found.games if game.id == "snake")
    assert "optimal" not in [one.spec for one in found.against(snake)]
    assert "optimal" in [one.spec for one in found.against(None)]


def test_a_start_that_cannot_be_leaves_nothing(root: Path) -> None:
    for game, players in (
        ("tictacto", ("human", "random")),
        ("snake", ("human", "optimal")),
        ("tictactoe", ("random", "random")),
        ("tictactoe", ("human", "ckpt:nowhere")),
    ):
        with pytest.raises(UsageError):
            start(game, players, 1)
    assert run_dirs(root) == []


def test_games_of_others_are_left_to_the_job() -> None:
    assert adapted("textarena:TicTacToe-v0?x=1")
    assert not adapted("tictactoe")
    assert not adapted("nothing:of-the-kind")


# -- words --------------------------------------------------------------------------------------------------


def test_the_end_is_told_in_words(root: Path) -> None:
    def ended(name: str, actions: str, players: tuple[str, str] = ("human", "random")) -> Play:
        run_dir = play_dirs.new(root / name, players=players)
        play_dirs.asked(run_dir, actions)
        return read(run_dir)

    assert outcome(ended("won", "04152"), {}).plain == "You won."
    lost = ended("lost", "04152", ("random", "human"))
    assert outcome(lost, {}).plain == "You lost."
    assert outcome(ended("drawn", "048176253"), {}).plain == "A draw."
    chips = replace(lost, returns=(2.0, -2.0))
    assert outcome(chips, {}).plain == "You lost. −2 to +2."
    resigned = replace(lost, resigned=1)
    assert outcome(resigned, {}).plain == "You lost.  You resigned."
    assert lost.match is not None
    nonsense = replace(lost.moves[-1], action=None, illegal="no cell [/b] at all")
    forfeited = replace(
        lost, returns=(-1.0, 1.0), match=replace(lost.match, forfeit="a"), moves=(*lost.moves, nonsense)
    )
    assert outcome(forfeited, {"random": "dice"}).plain == "You won.  dice forfeited: no cell [/b] at all"
    two = replace(lost, config=lost.config.model_copy(update={"players": ("human", "human")}))
    assert outcome(two, {}).plain == "X won."


def test_what_goes_on_is_told_with_what_was_wrong(root: Path) -> None:
    run_dir = play_dirs.new(root / "m")
    assert said(read(run_dir)) == "Starting… 3 s"
    play_dirs.asked(run_dir, "", illegal="that is [b]no[/b] cell", note="Too late.")
    assert said(read(run_dir), hint="Go.").splitlines() == [
        "⚠ Too late.",
        "✗ Not legal: that is [b]no[/b] cell",
        "▸ Your move as X.  Go.",
    ]
    assert "Sent…" in said(read(run_dir), sending=True)
    assert "not here" in said(read(run_dir), refused="not here")
    play_dirs.asked(run_dir, "4")
    assert said(read(run_dir)) == "random is thinking… 3 s"
    play_dirs.gone(run_dir)
    assert "r resumes" in said(read(run_dir))


def test_formats_are_taken_from_the_rules() -> None:
    def of(game: str) -> list[str]:
        return formats(GameSpec.parse(game).new(1).rules(0))

    assert of("simple_negotiation") == ["[Offer: 2 Wood -> 1 Gold]", "[Accept]", "[Deny]"]
    assert of("truth_and_deception") == ["I am sure about the first."]
    assert formats("nothing of the kind") == []


def test_a_position_of_one_line_has_a_sentence_a_line(root: Path) -> None:
    run_dir = play_dirs.new(root / "m", "kuhn_poker", seed=4)
    play_dirs.asked(run_dir, [])
    card = GameSpec.parse("kuhn_poker")
    assert card.game.INFO.title == "Kuhn Poker"
    first, *rest = position(read(run_dir)).splitlines()
    assert first == "Hand 1 of 5."
    assert len(rest) == 2


# -- moves --------------------------------------------------------------------------------------------------


def test_options_have_the_keys_that_play_them() -> None:
    assert [(one.action, one.key) for one in options(["[check]", "[bet]"])] == [("[check]", "1"), ("[bet]", "2")]
    assert [one.key for one in options(["[2]", "[7]"])] == ["2", "7"]
    assert [one.key for one in options(["[up]", "[left]"])] == ["↑", "←"]
    bids = [f"[Bid: {count}, {face}]" for count in range(1, 4) for face in range(1, 7)]
    assert {one.key for one in options(bids)} == {""}
    assert [one.action for one in options(bids, "3 bid 2")] == ["[Bid: 2, 3]", "[Bid: 3, 2]"]
    assert options([]) == []


@pytest.mark.parametrize("game", SHAPES)
def test_marks_are_read_from_the_games_own_board(game: str) -> None:
    state = GameSpec.parse(game).new(1)
    actions = ("[4]", "[0]", "[4]") if SHAPES[game].falls else ("[4]", "[0]", "[8]")
    for action in actions:
        state = state.apply(action)
    marks = read_marks(game, state.board(), actions[-1])
    assert marks is not None
    stones = [mark for row in marks.cells for mark in row if mark]
    assert sorted(stones) == ["O", "X", "X"]
    assert marks.last == ((4, 4) if SHAPES[game].falls else (2, 2))
    rows, columns = range(SHAPES[game].rows), range(SHAPES[game].columns)
    reachable = {marks.action(row, column) for row in rows for column in columns}
    assert set(state.legal() or ()) <= reachable
    assert not marks.lit


def test_the_line_that_won_is_found_in_every_direction() -> None:
    for actions, line in (("0314 2", (0, 1, 2)), ("03164", (1, 4)), ("01428", (0, 4, 8)), ("21406", (2, 4, 6))):
        state = GameSpec.parse("tictactoe").new(1)
        for action in actions.replace(" ", ""):
            state = state.apply(f"[{action}]")
        marks = read_marks("tictactoe", state.board())
        assert marks is not None
        won = state.to_act is None
        assert ({divmod(cell, 3) for cell in line} == marks.lit) == won
    state = GameSpec.parse("connect_four").new(1)
    for action in "0101010":
        state = state.apply(f"[{action}]")
    marks = read_marks("connect_four", state.board())
    assert marks is not None
    assert marks.lit == {(row, 0) for row in (2, 3, 4, 5)}


@pytest.mark.parametrize("board", ["", "no board", "| X | O |", "X | O\n|", "\x1b[2J | | "])
def test_a_board_of_another_shape_is_shown_as_text(board: str) -> None:
    assert read_marks("tictactoe", board) is None
    assert read_marks("snake", board) is None
    assert plain(board) is not None
