"""What is read of a training, without a screen: once, then its news; plots, changes, phases, checkpoints."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import run_details
import run_dirs
from databases import changing

from arena.core.errors import ArenaError, UsageError
from arena.runs.paths import CONFIG_JSON, DB_NAME
from arena.runs.rows import HealthRow, MetricRow
from arena.runs.store import RunStore
from arena.tui.collect import training as collect
from arena.tui.collect.charts import Key, charts
from arena.tui.collect.gains import change, gains
from arena.tui.collect.training import Training, TrainingReader, evaluation, flat
from arena.tui.curves import Point, Series


def add(run_dir: Path, *rows: MetricRow) -> None:
    with RunStore(run_dir) as store:
        store.add_metrics(rows)


def course(data: Training, name: str, game: str = "", opponent: str = "") -> list[tuple[float, float]]:
    assert data.courses is not None
    return [(point.step, point.value) for point in data.courses[Key(name, game, "", opponent)].points]


def test_everything_that_the_screen_shows_is_read(root: Path) -> None:
    data = TrainingReader(run_details.training(root / "a")).read()
    assert (data.row.done, data.row.total, data.row.status) == (84, 120, "running")
    assert data.row.pace == pytest.approx(run_dirs.STEP_SECONDS)
    assert data.steps == (0, 84)
    assert [chart.title for chart in data.charts][:7] == [
        "score · tictactoe", "score · kuhn_poker", "optimal moves · tictactoe", "exploitability · kuhn_poker",
        "entropy", "thought tokens · tictactoe", "forfeits · tictactoe",
    ]  # fmt: skip
    assert [line.name for line in data.charts[0].series] == ["random", "optimal", "start"]
    last = data.charts[0].series[0].at()
    assert last is not None
    assert (last.step, last.low) == (80, pytest.approx(last.value - 0.03))
    assert [(alarm.step, alarm.message) for alarm in data.alarms] == [(70, "94 % draws in self-play")]
    assert [(row.step, row.bytes) for row in data.checkpoints] == [(80, 10_000), (40, 10_000), (0, 10_000)]
    assert dict(data.checkpoints[0].measured)["tictactoe vs random"] == last
    assert [(phase.name, round(phase.share, 2)) for phase in data.phases] == [("learn", 0.53), ("collect", 0.47)]
    assert dict(data.config)["games.0.game"] == "tictactoe"
    assert not data.more


def test_rows_are_read_once_and_then_their_news(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 30, end="")
    reader = TrainingReader(run_dir)
    first = reader.read()
    with changing(run_dir / DB_NAME) as db:
        db.execute("DELETE FROM metric WHERE id < (SELECT max(id) FROM metric)")
    again = reader.read()
    assert again.charts is first.charts, "nothing new, nothing made again"
    add(run_dir, MetricRow(31, "entropy", 0.25))
    news = reader.read()
    assert news.rows == first.rows + 1
    assert course(news, "entropy") == [*course(first, "entropy"), (31, 0.25)]


def test_what_a_resumed_job_does_again_replaces_what_was_read(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 30, end="")
    reader = TrainingReader(run_dir)
    reader.read()
    with RunStore(run_dir) as store:
        store.drop_after(20)
        store.add_metrics([MetricRow(21, "entropy", 0.125)])
        store.add_health([HealthRow(21, "nan", "alarm", "not finite")])
    data = reader.read()
    assert course(data, "entropy")[-2:] == [(20, pytest.approx(0.55)), (21, 0.125)]
    assert data.steps == (0, 21)
    assert max(step for step, _ in course(data, "score", "tictactoe", "random")) == 20
    assert [alarm.message for alarm in data.alarms] == ["not finite"]


def test_many_rows_come_in_pages(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = run_dirs.training(root / "a", 60, end="")
    whole = TrainingReader(run_dir).read()
    monkeypatch.setattr(collect, "PAGE", 50)
    monkeypatch.setattr(collect, "MOST_ROWS", 100)
    reader = TrainingReader(run_dir)
    first = reader.read()
    assert (first.rows, first.more) == (100, True)
    reads = 1
    while (data := reader.read()).more:
        reads += 1
    assert reads == math.ceil(whole.rows / 100) - 1
    assert data.rows == whole.rows
    assert course(data, "entropy") == course(whole, "entropy")


def test_a_long_course_is_drawn_short_and_read_whole(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, end="")
    add(run_dir, *(MetricRow(step, "entropy", step / 5000) for step in range(4, 5000)))
    data = TrainingReader(run_dir).read()
    assert data.courses is not None
    one = data.courses[Key("entropy", "", "", "")]
    assert len(one) == 4999
    assert one.at(1234) == Point(1234, 1234 / 5000)
    assert len(one.line) <= 402
    assert one.line[-1] == Point(4999, 4999 / 5000)


def test_former_selves_are_one_opponent(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, end="")
    score = [(1, "pool@0", 0.5), (1, "pool@10", 0.7), (1, "pool@20", 0.6), (2, "pool@30", 0.9)]
    add(run_dir, *(MetricRow(step, "training_score", value, "tictactoe", "", name) for step, name, value in score))
    data = TrainingReader(run_dir).read()
    assert course(data, "training_score", "tictactoe", "pool@*") == [(1, pytest.approx(0.6)), (2, 0.9)]


def test_a_run_without_rows_is_no_error(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, of=5, end="")
    for file in run_dir.glob(f"{DB_NAME}*"):
        file.unlink()
    reader = TrainingReader(run_dir)
    data = reader.read()
    assert (data.charts, data.courses, data.gains, data.phases, data.row.total) == ((), None, (), (), 5)
    RunStore(run_dir).close()
    assert reader.read().charts == ()
    add(run_dir, MetricRow(1, "entropy", None))
    assert [chart.title for chart in reader.read().charts] == ["entropy"]


def test_a_run_that_vanishes_or_is_damaged_says_so(root: Path) -> None:
    run_dir = run_details.training(root / "a")
    reader = TrainingReader(run_dir)
    before = reader.read()
    config = (run_dir / CONFIG_JSON).read_text()
    (run_dir / CONFIG_JSON).write_text("{")
    with pytest.raises(ArenaError, match=r"config\.json cannot be read"):
        reader.read()
    (run_dir / CONFIG_JSON).write_text(config)
    database = (run_dir / DB_NAME).read_bytes()
    (run_dir / DB_NAME).write_bytes(b"no database" * 999)
    with pytest.raises(ArenaError, match="is damaged"):
        reader.read()
    (run_dir / DB_NAME).write_bytes(database)
    assert reader.read().rows == before.rows
    shutil.rmtree(run_dir)
    with pytest.raises(ArenaError, match="No such file"):
        reader.read()


def test_a_supervised_run_has_its_loss_among_the_first_plots(root: Path) -> None:
    run_dir = run_dirs.training(root / "a", 3, end="")
    add(run_dir, *(MetricRow(step, "loss", 1 / step) for step in (1, 2, 3)))
    assert "loss" in [chart.title for chart in TrainingReader(run_dir).read().charts][:6]


def one(name: str = "", *values: float, half: float | None = None) -> Series:
    ends = [(None, None) if half is None else (value - half, value + half) for value in values]
    return Series.of(
        name, [Point(step, value, *end) for step, (value, end) in enumerate(zip(values, ends, strict=True))]
    )


def test_a_metric_that_nobody_knows_has_its_own_plot_under_its_name() -> None:
    found = charts({Key("zeal_of_it", "", "", ""): one("", 1), Key("entropy", "", "", ""): one("", 1)})
    assert [(chart.title, len(chart.series)) for chart in found] == [("entropy", 1), ("zeal of it", 1)]


def test_plots_are_split_by_game_where_opponents_or_roles_differ() -> None:
    keys = [Key("baseline", game, role, "") for game in ("b?x=1", "a") for role in "01"]
    keys += [Key("forfeit_rate", game, "", "") for game in ("b?x=1", "a")]
    found = {chart.title: [line.name for line in chart.series] for chart in charts({key: one("", 1) for key in keys})}
    assert found == {
        "forfeits": ["b", "a"], "baseline · b": ["role 0", "role 1"], "baseline · a": ["role 0", "role 1"],
    }  # fmt: skip
    ordered = charts({key: one("", 1) for key in keys}, games=("a", "b?x=1"))
    assert [chart.title for chart in ordered] == ["forfeits", "baseline · a", "baseline · b"]


def test_variants_of_one_game_keep_their_whole_names() -> None:
    keys = [Key("forfeit_rate", game, "", "") for game in ("k?hands=1", "k?hands=5")]
    (chart,) = charts({key: one("", 1) for key in keys})
    assert [line.name for line in chart.series] == ["k?hands=1", "k?hands=5"]


def test_the_kls_and_the_phases_share_a_plot() -> None:
    names = ("old_kl", "magnet_kl", "anchor_kl", "seconds_learn", "seconds_new_phase")
    found = {chart.title: chart for chart in charts({Key(name, "", "", ""): one("", 1) for name in names})}
    assert [line.name for line in found["KL"].series] == ["old", "magnet", "anchor"]
    assert [line.name for line in found["seconds a step"].series] == ["learn", "new_phase"]


@pytest.mark.parametrize(
    ("values", "half", "falls", "verdict"),
    [
        ((0.5, 0.9), 0.1, False, "better"),
        ((0.5, 0.6), 0.1, False, "unclear"),
        ((0.9, 0.5), 0.1, False, "worse"),
        ((0.9, 0.5), 0.1, True, "better"),
        ((0.5,), 0.1, False, "unclear"),
        ((0.5, 0.6, 0.7, 0.8), None, False, "better"),
        ((0.5, 0.6, 0.7, 0.4), None, False, "unclear"),
        ((0.5, 0.9), None, False, "unclear"),
        ((0.5, 0.4, 0.3, 0.2), None, True, "better"),
    ],
)
def test_a_change_is_clear_where_intervals_do_not_meet(
    values: tuple[float, ...], half: float | None, falls: bool, verdict: str
) -> None:
    assert change(list(one("", *values, half=half).points), falls) == verdict


def test_strength_is_measured_against_what_does_not_change() -> None:
    keys = [Key("score", "a", "", name) for name in ("optimal", "self(t-16)", "random")]
    keys += [Key("optimal_move_rate", "a", "", ""), Key("entropy", "", "", "")]
    found = gains({key: one("", 0.1, 0.9, half=0.05) for key in keys})
    assert [gain.name for gain in found] == ["optimal moves", "a vs random", "a vs optimal"]
    assert {gain.change for gain in found} == {"better"}


def test_an_evaluation_meets_start_random_and_where_it_can_optimal(root: Path) -> None:
    data = TrainingReader(run_dirs.training(root / "a", 3)).read()
    plan = evaluation(data, "ckpt:a@3")
    assert plan == {
        "players": ["ckpt:a@3", "ckpt:tiny", "random", "optimal"],
        "games": [run_dirs.TICTACTOE, run_dirs.KUHN],
    }
    config = json.loads((root / "a" / CONFIG_JSON).read_text())
    config["games"][0]["game"] = "snake"
    (root / "a" / CONFIG_JSON).write_text(json.dumps(config))
    other = TrainingReader(root / "a").read()
    assert evaluation(other, "ckpt:a@3")["players"] == ["ckpt:a@3", "ckpt:tiny", "random"]
    config["games"] = []
    (root / "a" / CONFIG_JSON).write_text(json.dumps(config))
    assert evaluation(TrainingReader(root / "a").read(), "x")["games"] == [run_dirs.TICTACTOE, run_dirs.KUHN]
    with pytest.raises(UsageError, match="names no game"):
        evaluation(Training(data.row), "x")


def test_a_configuration_is_flat_lines_of_dotted_keys() -> None:
    nested = {"a": {"b": 1, "c": "x"}, "d": [{"e": None}, {"e": [1, "é"]}], "f": {}, "g": [], "h": True}
    assert flat(nested) == (
        ("a.b", "1"), ("a.c", "x"), ("d.0.e", "null"), ("d.1.e", '[1, "é"]'), ("f", "{}"), ("g", "[]"), ("h", "true"),
    )  # fmt: skip
    assert flat({}) == ()
