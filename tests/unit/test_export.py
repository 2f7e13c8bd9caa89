"""Results for elsewhere: LaTeX that no name breaks, tables of training, TensorBoard's events."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.errors import MissingExtra
from arena.runs.launch import job_environment
from arena.runs.rows import MetricRow
from arena.runs.store import RunStore
from evals.export import to_csv, to_latex, to_markdown
from evals.latex import ROWS, escape, latex_table
from training.export import COLUMNS, export, summary, tag, write_events

HOSTILE = r"ckpt:a_b & 100 % $x$ #1 {~} ^\end{table}\input{/etc/passwd} − – -- <|x|> “q” ☃ é `?` [y]"


def result(**changes: Any) -> dict[str, Any]:
    row = {"game": "tictactoe", "a": HOSTILE, "b": "y", "pairs": 4, "wins": 5, "score": 0.5, "low": -0.25, "high": 0.75}
    rows = [row, row | {"a": "[z]", "wins": 123, "score": 12.0 / 16}]
    truth = {"player": "*", "value": 0.5, "detail": {"illegal": 0.25, "policy": {"J": 1.0}}}
    return {"schema": 1, "seed": 9, "results": rows, "ground_truth": [truth], "empty": [], "names": ["x"]} | changes


# LaTeX.

TOKEN = re.compile(r"\\[a-zA-Z]+(?![a-zA-Z])|\\[\\{}$&#%_]|[{}$&#%_~^]", re.ASCII)


def tokens(latex: str) -> list[str]:
    return TOKEN.findall(latex)


def unescape(latex: str) -> str:
    """What the escaped text prints, by a way of its own; code points for what has no letter."""
    named = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
        "textbar": "|", "textasciigrave": "`", "textendash": "–", "textemdash": "—", "ldots": "…",
    }  # fmt: skip
    text = latex.replace("\\char34{}", '"').replace("\\char39{}", "'")
    for name, char in (("$-$", "−"), ("$\\times$", "×"), ("$\\pm$", "±"), ("$\\to$", "→"), ("$\\cdot$", "·")):
        text = text.replace(name, char)
    text = text.replace("$^\\circ$", "°")
    pattern = r"\\([a-z]+)\{\}|\\([{}$&#%_])|\{\}"
    return re.sub(pattern, lambda found: named.get(found[1] or "", found[2] or ""), text)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_every_plain_text_prints_as_itself(text: str) -> None:
    assert unescape(escape(text)) == " ".join(text.split())


@given(st.text(max_size=60))
def test_no_text_is_code(text: str) -> None:
    latex = escape(text)
    assert "\n" not in latex
    rest = re.sub(r"\\(text(ascii)?[a-z]+|char3[49]|ldots)\{\}", "", latex)
    rest = re.sub(r"\\[{}$&#%_]|\$(-|\\times|\\pm|\\to|\\cdot|\^\\circ)\$|\{\}", "", rest)
    assert not set(rest) & set("\\{}$&#%_~^"), latex


def test_what_has_no_letter_is_a_code_point() -> None:
    assert escape("é ß ż") == "é ß ż"
    assert escape("☃ я \u202e") == "U+2603 U+044F U+FFFD"
    assert escape("--- ?`") == "-{}-{}- ?\\textasciigrave{}"


@pytest.mark.parametrize("start", ["[x]", "*"])
def test_a_first_cell_is_no_option_of_the_line_before(start: str) -> None:
    assert f"    {{}}{start} & " in latex_table("t", [{"name": start, "n": 1}, {"name": "b", "n": 2}])


def test_the_tables_are_whole_booktabs_floats() -> None:
    text = to_latex(result())
    assert text.startswith("% \\usepackage{booktabs,graphicx}\n")
    for begin, end in (("\\begin{table}", "\\end{table}"), ("\\begin{tabular}", "\\end{tabular}")):
        assert text.count(begin) == text.count(end) == 2
    for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\caption{", "\\label{"):
        assert text.count(rule) == 2
    assert "\\caption{Results. Seed 9. 4 pairs of matches a row.}" in text
    assert "\\label{tab:ground-truth}" in text
    depth = 0
    for token in tokens(text.partition("\n")[2]):
        depth += (token == "{") - (token == "}")
        assert depth >= 0
    assert depth == 0


def test_every_row_has_as_many_cells_as_columns_and_numbers_align() -> None:
    lines = to_latex(result()).splitlines()
    (columns,) = [re.findall(r"\{([lr]+)\}", line)[0] for line in lines if "{tabular}{" in line][:1]
    body = [line for line in lines[: lines.index("\\end{table}")] if line.endswith(" \\\\")]
    assert [len(re.findall(r"(?<!\\)&", line)) + 1 for line in body] == [len(columns)] * 3
    assert columns == "lrrr", "name; wins, score and interval"
    assert body[1].endswith("& 5 & 0.500 & [$-$0.250, 0.750] \\\\")
    assert body[2].endswith("& 123 & 0.750 & [$-$0.250, 0.750] \\\\")


def test_what_all_rows_share_stands_below() -> None:
    assert "In every row: game tictactoe, b y, pairs 4." in to_latex(result())
    same = [{"game": "x"}, {"game": "x"}]
    assert to_latex({"results": same}).count("    x \\\\") == 2


def test_a_long_table_goes_on_in_another_float() -> None:
    text = to_latex({"results": [{"player": f"p{i}", "n": i} for i in range(ROWS + 1)]})
    assert text.count("\\begin{table}") == 2
    assert "Results (continued)." in text
    assert "\\label{tab:results-2}" in text


# Markdown and CSV.


def test_names_do_not_break_markdown() -> None:
    lines = to_markdown(result()).splitlines()
    (row,) = [line for line in lines if "passwd" in line]
    (rule,) = [line for line in lines if set(line) == set("|-")][:1]
    assert len(re.findall(r"(?<!\\)\|", row)) == rule.count("|")
    assert "\\<\\|x\\|\\>" in row
    assert "policy" not in to_markdown(result())
    assert "| illegal |" in to_markdown(result())


def test_csv_holds_every_table_and_nested_figures_as_json() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(result()))))
    assert [row["table"] for row in rows] == ["results", "results", "ground_truth"]
    assert json.loads(rows[2]["detail"]) == {"illegal": 0.25, "policy": {"J": 1.0}}


def test_csv_computes_nothing_in_a_spreadsheet() -> None:
    row = {"a": "=HYPERLINK(1)", "b": "＝1", "score": -0.5}
    (found,) = csv.DictReader(io.StringIO(to_csv({"schema": 1, "results": [row]})))
    assert (found["a"], found["b"], found["score"]) == ("'=HYPERLINK(1)", "'＝1", "-0.5")


# A training run.

KUHN = "kuhn_poker?hands=1&payoff=chips"
METRICS = [
    MetricRow(0, "score", 0.5, "tictactoe", "", "random", 0.4, 0.6, 32, at=1000.25),
    MetricRow(0, "exploitability", 0.3, KUHN, low=0.2, high=0.4, n=12288, at=1000.5),
    MetricRow(3, "return", -0.1, KUHN, "1", n=7, at=1001.0),
    MetricRow(4, "score", 1 / 3, "tictactoe", "", "random", 0.2, 0.5, 32, at=1002.0),
    MetricRow(4, "exploitability", None, KUHN, at=1002.0),
    MetricRow(2**40, "entropy", 1e-30, at=1003.0),
]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "r_1"
    path.mkdir()
    (path / "config.json").write_text('{"seed": 3}')
    with RunStore(path) as store:
        store.add_metrics(METRICS)
    return path


def test_the_summary_compares_first_and_last_evaluation(run_dir: Path) -> None:
    rows = {(row["game"], row["measure"], row["opponent"]): row for row in summary(run_dir)["evaluation"]}
    score = rows["tictactoe", "score", "random"]
    assert (score["start"], score["step"], score["end"], score["low"], score["n"]) == (0.5, 4, 1 / 3, 0.2, 32)
    assert rows[KUHN, "exploitability", None]["end"] is None


def test_training_as_latex_markdown_csv_and_json(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(run_dir, "latex")
    latex = capsys.readouterr().out
    assert "\\caption{Evaluation. Seed 3.}" in latex
    assert "kuhn\\_poker?hands=1\\&payoff=chips" in latex
    export(run_dir, "md")
    assert "| tictactoe | score | random | points | 0.5 |" in capsys.readouterr().out
    export(run_dir, "csv")
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert tuple(lines[0]) == COLUMNS
    assert lines[3] == ["3", "return", KUHN, "1", "", "-0.1", "", "", "7"]
    export(run_dir, "json")
    rows = json.loads(capsys.readouterr().out)
    assert [tuple(row) for row in rows] == [COLUMNS] * len(METRICS)
    assert [row["value"] for row in rows] == [row.value for row in METRICS]


# TensorBoard: TFRecords of Event messages, read here without the library that wrote them.


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data: bytes) -> Iterator[bytes]:
    while data:
        (length,), (head,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        body, (tail,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert (head, tail) == (masked(data[:8]), masked(body))
        yield body
        data = data[16 + length :]


def fields(message: bytes) -> dict[int, Any]:
    """The fields of a protobuf message by number; no field is repeated in ours."""
    found: dict[int, Any] = {}
    while message:
        key, message = varint(message)
        number, wire = key >> 3, key & 7
        if wire == 0:
            found[number], message = varint(message)
        elif wire == 2:
            length, message = varint(message)
            found[number], message = message[:length], message[length:]
        else:
            size, kind = {1: (8, "<d"), 5: (4, "<f")}[wire]
            (found[number],), message = struct.unpack(kind, message[:size]), message[size:]
    return found


def varint(data: bytes) -> tuple[int, bytes]:
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, data[place + 1 :]
    raise AssertionError("cut short")


def events(directory: Path) -> list[tuple[float, int, str, float]]:
    (path,) = directory.iterdir()
    assert "tfevents" in path.name
    first, *rest = [fields(record) for record in records(path.read_bytes())]
    assert first[3] == b"brain.Event:2"
    read = []
    for event in rest:
        value = fields(fields(event[5])[1])
        read.append((event[1], event.get(2, 0), value[1].decode(), value[2]))
    return read


def test_crc_is_the_published_one() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_tensorboard_reads_back_every_value(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboardX")
    for _ in range(2):
        export(run_dir, "tensorboard")
    assert capsys.readouterr().out.splitlines() == [str(run_dir / "tensorboard")] * 2
    kept = [row for row in METRICS if row.value is not None]
    single = [struct.unpack("f", struct.pack("f", row.value))[0] for row in kept]
    with_times = [(row.at, row.step, tag(row), value) for row, value in zip(kept, single, strict=True)]
    read = events(run_dir / "tensorboard")
    assert [line[1:] for line in read] == [line[1:] for line in with_times]
    assert all(line[0] > 0 for line in read)
    assert read[2][2] == f"return/{KUHN}/1"


def test_events_keep_the_stored_times_and_leave_other_files_alone(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    out = tmp_path / "a" / "b"
    assert write_events(METRICS, out) == 5
    assert [line[0] for line in events(out)] == [1000.25, 1000.5, 1001.0, 1002.0, 1003.0]
    (out / "notes.txt").write_text("mine")
    write_events(METRICS, out)
    assert len(list(out.iterdir())) == 2


def test_without_tensorboardx_the_line_to_install_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(MissingExtra, match=re.escape("pip install -e '.[tensorboard]'")):
        write_events([], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_tables_of_training_load_no_torch(run_dir: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from training.export import export
for form in ("md", "latex", "csv", "json"):
    export(Path({str(run_dir)!r}), form)
print(sorted({{"torch", "transformers", "tensorboardX", "pandas"}} & set(sys.modules)), file=sys.stderr)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=job_environment(), check=True)
    assert done.stderr.strip() == "[]"


def test_notes_come_first_and_claims_over_all_games_say_so() -> None:
    claim = {"game": None, "a": "x", "b": "y", "pairs": 9, "better": "x", "p": 0.01, "p_holm": 0.02, "claim": True}
    found = result(claims=[claim, claim | {"game": "snake"}], notes=["From *there*\n\\end{x}."])
    markdown, latex = to_markdown(found), to_latex(found)
    assert markdown.startswith("From \\*there\\* \\\\end{x}.\n\n## results\n")
    assert "| all games | x | y | 9 | x | 0.01 | 0.02 | True |" in markdown
    assert latex.splitlines()[1] == "% From *there* \\end{x}."
    assert "all games & 9" in latex or "all games & " in latex
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [row["game"] for row in rows if row["table"] == "claims"] == ["all games", "snake"]
