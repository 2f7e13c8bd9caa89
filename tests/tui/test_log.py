"""The tail of a run's logs, from bytes to lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import run_details

from arena.core.errors import ArenaError
from arena.tui.collect.log import CHUNK, LogLine, LogReader


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def texts(lines: tuple[LogLine, ...]) -> list[str]:
    return [line.text for line in lines]


def test_lines_come_once_each_with_the_file_that_they_are_from(run_dir: Path) -> None:
    reader = LogReader(run_dir)
    assert reader.read() == ()
    run_details.log(run_dir, "one", "two")
    run_details.log(run_dir, "oops", name="stderr.log")
    run_details.log(run_dir, "table", name="stdout.log")
    assert reader.read() == (
        LogLine("out", "table"), LogLine("err", "oops"), LogLine("job", "one"), LogLine("job", "two"),
    )  # fmt: skip
    assert reader.read() == ()
    run_details.log(run_dir, "three")
    assert reader.read() == (LogLine("job", "three"),)


def test_a_line_waits_for_its_end(run_dir: Path) -> None:
    path = run_details.log(run_dir, "one")
    reader = LogReader(run_dir)
    reader.read()
    with path.open("ab") as file:
        file.write("é".encode()[:1])
        file.flush()
        assert reader.read() == ()
        file.write("é".encode()[1:] + b" two\nthr")
        file.flush()
        assert texts(reader.read()) == ["é two"]
        file.write(b"ee\n")
    assert texts(reader.read()) == ["three"]


def test_of_a_large_log_the_end_is_read_from_a_whole_line_on(run_dir: Path) -> None:
    run_details.log(run_dir, *(f"line {number:07}" for number in range(20_000)))
    lines = LogReader(run_dir).read()
    assert lines[0].source == ""
    assert "earlier lines are in" in lines[0].text
    assert texts(lines)[-1] == "line 0019999"
    assert all(len(text) == 12 for text in texts(lines)[1:])
    assert CHUNK - 20 < sum(len(text) + 1 for text in texts(lines)[1:]) <= CHUNK


def test_what_is_written_faster_than_it_is_read_is_passed_over(run_dir: Path) -> None:
    path = run_details.log(run_dir, "one")
    reader = LogReader(run_dir)
    reader.read()
    with path.open("ab") as file:
        file.write(b"x" * 9 + b"\n" + b"123456789\n" * 300_000)
    lines = reader.read()
    assert "earlier lines" in lines[0].text
    assert 6000 < len(lines) < 7000


def test_a_truncated_and_a_replaced_log_are_read_from_their_start(run_dir: Path) -> None:
    path = run_details.log(run_dir, "a long first line")
    reader = LogReader(run_dir)
    reader.read()
    path.write_text("new\n")
    assert texts(reader.read()) == ["job.log was cut short or replaced", "new"]
    other = path.with_name("other")
    other.write_text("a different and longer file\n")
    os.replace(other, path)
    assert texts(reader.read()) == ["job.log was cut short or replaced", "a different and longer file"]


def test_a_new_attempt_takes_over(run_dir: Path) -> None:
    run_details.log(run_dir, "first")
    reader = LogReader(run_dir)
    reader.read()
    run_details.log(run_dir, "second", attempt=2)
    run_details.log(run_dir, "late", attempt=1)
    assert reader.read() == (LogLine("", "attempt 2"), LogLine("job", "second"))


def test_a_line_of_a_million_characters_comes_in_pieces(run_dir: Path) -> None:
    path = run_details.log(run_dir, "one")
    reader = LogReader(run_dir)
    reader.read()
    with path.open("ab") as file:
        file.write(b"x" * 1_000_000 + b"\nend\n")
    lines = texts(reader.read())
    assert lines[-1] == "end"
    assert "".join(lines[:-1]) == "x" * 1_000_000
    assert max(map(len, lines)) < 2 * CHUNK


def test_bytes_that_are_no_text_and_overwritten_lines_are_read(run_dir: Path) -> None:
    path = run_details.log(run_dir, "one")
    path.write_bytes(b"\xff\xfe\x9b31m\n10%\r50%\r100%\r\nlast\n")
    assert texts(LogReader(run_dir).read()) == ["\ufffd\ufffd\ufffd31m", "100%", "last"]


def test_logs_that_vanish_are_no_error_and_those_that_cannot_be_read_are(run_dir: Path) -> None:
    path = run_details.log(run_dir, "one")
    reader = LogReader(run_dir)
    reader.read()
    path.unlink()
    assert reader.read() == ()
    path.mkdir()
    with pytest.raises(ArenaError, match="cannot be read: Is a directory"):
        reader.read()
