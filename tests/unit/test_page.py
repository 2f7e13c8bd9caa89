"""The HTML page: whole, needing nothing, and text from outside is text wherever it stands."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import hostile_runs
import pytest
import run_dirs
from hypothesis import given
from hypothesis import strategies as st

from arena.config.tournament import MatchConfig, TournamentConfig
from arena.runs.launch import create_run
from arena.runs.paths import RESULT_JSON
from arena.runs.reader import RunReader
from evals.__main__ import main
from evals.page import replay
from evals.page.document import write_page
from evals.page.markup import data, tag
from evals.page.plots import Cell, Mark, heat_map, interval_plot, ticks

GAMES = ["tictactoe", run_dirs.KUHN]
EVIL = "</script><script>alert(1)</script><!--\"'><img src=x onerror=alert(1)>&amp;\u2028\x1b[31m\u202e]]>"


class Page(HTMLParser):
    """Reads a page; remembers elements, texts, attributes, and what is not closed as it was opened."""

    VOID: ClassVar[set[str]] = {"meta", "input"}

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.blocks: dict[str, str] = {}
        self.words: list[str] = []
        self._block = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "style"):
            self._block = dict(attrs).get("id") or tag
            self.blocks[self._block] = ""

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)
        self._block = ""

    def handle_data(self, data: str) -> None:
        if self._block:
            self.blocks[self._block] += data
        else:
            self.words.append(data)

    @property
    def index(self) -> dict[str, Any]:
        found = json.loads(self.blocks["index"])
        assert isinstance(found, dict)
        return found

    def matches(self) -> list[dict[str, Any]]:
        """Every match with its turns, as the page's script finds them."""
        packed = {name: text for name, text in self.blocks.items() if name.startswith("chunk-")}
        chunks = {int(name[6:]): json.loads(zlib.decompress(base64.b64decode(text))) for name, text in packed.items()}
        found = []
        for row in self.index["matches"]:
            one = dict(zip(self.index["columns"], row, strict=True))
            found.append(one | (chunks[one["chunk"]][one["place"]] if one["chunk"] >= 0 else {"turns": None}))
        return found


def page_of(run_dir: Path, result: dict[str, Any]) -> Page:
    written: list[str] = []
    write_page(run_dir, result, written.append)
    return Page("".join(written))


@pytest.fixture(scope="module")
def tournament(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TournamentConfig(players=["random", "scripted", "optimal"], games=GAMES, pairs=4)
    run_dir = create_run(config, "tournament", tmp_path_factory.mktemp("runs") / "run")
    assert main([str(run_dir), "--json"]) == 0
    return run_dir


@pytest.fixture(scope="module")
def page(tournament: Path) -> Page:
    return page_of(tournament, json.loads((tournament / RESULT_JSON).read_text()))


def test_it_is_whole_and_loads_nothing(page: Page) -> None:
    assert (page.wrong, page.open) == ([], [])
    assert [one for one in page.attributes if one[1] in ("src", "style") or one[1].startswith("on")] == []
    links = [value for _, key, value in page.attributes if key in ("href", "action", "data", "srcset", "poster")]
    ids = {value for _, key, value in page.attributes if key == "id"}
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert "url(" not in page.blocks["style"]
    assert "@import" not in page.blocks["style"]


def test_its_policy_allows_its_own_style_and_script_alone(page: Page) -> None:
    (policy,) = [value for _, key, value in page.attributes if key == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.blocks[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_script_shows_text_as_text(page: Page) -> None:
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "Function(", ".src"):
        assert word not in page.blocks["script"]


def test_every_part_of_the_result_is_there(page: Page) -> None:
    text = " ".join(page.words)
    for title in ("Standings", "Head to head", "Claims", "Alpha-rank", "Seat effect", "Forfeits", "Ground truth"):
        assert title in text
    for word in ("random", "scripted", "optimal", *GAMES, "optimal move rate", "exploitability", "p Holm", "distinct"):
        assert word in text
    assert sum(tag == "svg" and key == "role" for tag, key, _ in page.attributes) >= 9


def test_every_match_can_be_replayed_turn_by_turn(tournament: Path, page: Page) -> None:
    found = page.matches()
    assert len(found) == 48
    with RunReader(tournament) as reader:
        for shown, stored in zip(found, reader.all_matches(), strict=True):
            names = [page.index["names"][shown[key]] for key in ("game", "a", "b")]
            assert names == [stored.game, stored.a, stored.b]
            assert (shown["leg"], shown["return_a"], shown["board"]) == (stored.leg, stored.return_a, stored.board)
            turns = reader.turns(stored.id)
            assert [one["action"] for one in shown["turns"]] == [turn.action for turn in turns]
            assert [one["board"] for one in shown["turns"]] == [turn.board for turn in turns]
            assert [one["observation"] for one in shown["turns"]] == [turn.observation for turn in turns]


def test_beyond_its_size_matches_are_listed_without_turns(tournament: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_BLOCK_MATCHES", 5)
    result = json.loads((tournament / RESULT_JSON).read_text())
    with RunReader(tournament) as reader:
        written: list[str] = []
        replay.Replays(reader, reader.all_matches(), most=3000).write(written.append)
    small = Page("".join(written))
    kept = [one for one in small.matches() if one["turns"] is not None]
    assert 0 < len(kept) < 48
    assert small.index["left_out"] == 48 - len(kept)
    assert len(small.index["matches"]) == 48
    assert page_of(tournament, result).index["left_out"] == 0


def test_the_same_run_gives_the_same_page(tournament: Path) -> None:
    result = json.loads((tournament / RESULT_JSON).read_text())
    first: list[str] = []
    second: list[str] = []
    write_page(tournament, result, first.append)
    write_page(tournament, result, second.append)
    assert first == second


def test_the_command_prints_it(tournament: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tournament), "--show", "--format", "html"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("<!DOCTYPE html>")
    assert out.endswith("</html>\n")


def test_a_single_match_has_its_replay_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = create_run(MatchConfig(game="tictactoe", players=("random", "optimal")), "match", tmp_path / "m")
    assert main([str(run_dir), "--format", "html"]) == 0
    one = Page(capsys.readouterr().out)
    assert len(one.matches()[0]["turns"]) >= 5
    assert "Standings" not in " ".join(one.words)


def test_a_run_without_matches_says_what_it_is(tmp_path: Path) -> None:
    run_dirs.tournament(tmp_path / "empty", played=0, end="stopped")
    one = page_of(tmp_path / "empty", {"schema": 1, "results": [], "ratings": [], "ground_truth": []})
    assert (one.wrong, one.open, "index" in one.blocks) == ([], [], False)
    assert "stopped" in one.words


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_runs.hostile_root(tmp_path_factory.mktemp("hostile") / "runs")


@pytest.mark.parametrize("kind", ["tournament", "ood", "meeting", "match", "play"])
def test_hostile_text_is_text_wherever_it_stands(hostile: Path, kind: str) -> None:
    root = hostile
    result = {} if kind in ("match", "play") else json.loads((root / kind / RESULT_JSON).read_text())
    for rating in result.get("ratings", ()):
        rating |= {"prior_limited": True}
    result["notes"] = [EVIL]
    result["warnings"] = [{"message": EVIL + hostile_runs.LINES}]
    result[EVIL] = [{EVIL: EVIL, "list": [EVIL], "dict": {EVIL: EVIL}, "number": 1e300}]
    written: list[str] = []
    write_page(root / kind, result, written.append)
    html = "".join(written)
    one = Page(html)
    assert (one.wrong, one.open) == ([], [])
    assert html.count("<script") == html.count("</script>")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", html)
    known = {"style", "script", "index", *(name for name in one.blocks if name.startswith("chunk-"))}
    assert set(one.blocks) == (known if kind != "play" else {"style"}), "of a match at work nothing is stored"
    assert "img" not in {tag for tag, _, _ in one.attributes}
    assert hostile_runs.MARK in " ".join(one.words)
    for shown in one.matches() if kind != "play" else ():
        for turn in shown["turns"] or ():
            texts = "".join(str(value) for value in turn.values())
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", texts)
            assert all(len(str(value)) < 21_000 for value in turn.values())


@given(st.text(max_size=80))
def test_any_text_survives_as_an_attribute_as_content_and_as_data(text: str) -> None:
    one = Page(tag("p", tag("b", id=text)) + tag("script", data([text]), id="index", type="application/json"))
    assert (one.wrong, one.open) == ([], [])
    assert json.loads(one.blocks["index"]) == [text]
    assert not {"<", ">", "&", "\u2028"} & set(data(text))


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_round_and_inside(low: float, width: float) -> None:
    high = low + width
    if not high > low + 1e-9 * abs(low):
        return
    found = ticks(low, high)
    assert len(found) <= 8
    assert all(low - 0.01 * width <= tick <= high + 0.01 * width for tick in found)


def test_plots_draw_what_they_are_given() -> None:
    marks = [Mark(f"player {i}", 0.5, 0.4 + i / 1000, 0.6, "0.5") for i in range(100)]
    svg = interval_plot("many", marks, 0.5, (0.0, 1.0))
    assert svg.count("<circle") == 80
    assert interval_plot("one", [Mark("x", 0.0, 0.0, 0.0, "0")]).count("<circle") == 1
    players = [f"p{i}" for i in range(70)]
    cells = {(a, b): Cell(0.7, "0.70", "7–0–3", "t", True) for a in players for b in players if a != b}
    for count, texts in ((3, 2), (20, 1), (70, 0)):
        shown = heat_map("h", players[:count], cells)
        drawn = min(count, 60)
        assert shown.count('class="better"') == drawn * (drawn - 1)
        assert shown.count("0.70</text>") == (texts > 0) * drawn * (drawn - 1)
        assert shown.count("7–0–3</text>") == (texts > 1) * drawn * (drawn - 1)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_is_valid(tmp_path: Path, page: Page) -> None:
    path = tmp_path / "report.js"
    path.write_text(page.blocks["script"])
    assert subprocess.run(["node", "--check", str(path)], check=False).returncode == 0
