"""The figures of a server under load are those of its answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.served_answers import Served, append, busy_seconds, load, percentile, table

ONE = Served(
    inputs={"clients": 2},
    mode="plug-in",
    task="a/1",
    run=1.0,
    reason="",
    lost=False,
    tokens=100,
    prompt_tokens=1000,
    cached_tokens=500,
    start=0.0,
    end=2.0,
    text="…",
)


def test_answers_come_back_from_the_file_without_a_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    answers = [ONE, replace(ONE, task="a/2", text="ä\n")]
    for served in answers:
        append(path, served)
    with path.open("a") as file:
        file.write('{"inputs": {"clients": 2}, "mode"')
    assert load(path) == answers
    append(path, ONE)
    assert load(path) == [*answers, ONE], "what is added after a cut line stands on a line of its own"
    assert load(tmp_path / "nowhere") == []


def test_time_between_runs_is_not_counted() -> None:
    later = replace(ONE, run=500.0, start=10.0, end=13.0)
    assert busy_seconds([ONE, replace(ONE, start=1.0, end=4.0), later]) == 4.0 + 3.0


@pytest.mark.parametrize(("number", "expected"), [(50, 50.5), (95, 95.05), (99, 99.01)])
def test_a_percentile_is_not_exceeded_by_so_many_of_a_hundred(number: int, expected: float) -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, number) == pytest.approx(expected)
    assert percentile([3.0], number) == 3.0


def test_the_table_counts_what_is_valid_and_what_is_lost() -> None:
    lost = replace(ONE, task="a/3", reason="no answer", lost=True, tokens=0, prompt_tokens=0, cached_tokens=0, end=4.0)
    rows = table([ONE, replace(ONE, task="a/2"), lost], {"plug-in": "ours", "stock": "theirs"}).splitlines()
    assert rows[2:] == ["| ours | 2 of 3 | 1 | 2.0 | 3.8 | 4.0 | 200 | 50.0 | 50% |"]
