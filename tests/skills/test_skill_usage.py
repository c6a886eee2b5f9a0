"""Counts of uses: right over processes and threads, and never in the way."""

from __future__ import annotations

import builtins
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentic_dsl.errors import MissingExtraError, UsageError
from agentic_dsl.skills.usage import SkillTotal, SkillUsage, SkillUse
from agentic_dsl.skills.usage_plot import plot_usage

TOTALS = (SkillTotal("planning", 10, 9, 10_000, 9_000, 100.0), SkillTotal("writing", 2, 0, 800, 0, 50.0))


def test_uses_are_summed_by_skill_and_the_one_that_saved_most_comes_first(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "deep" / "usage")
    assert usage.record([SkillUse("a", 100), SkillUse("b", 1000, 900)], at=10.0)
    assert usage.record([SkillUse("a", 100, 80)], at=30.0)
    assert usage.record([SkillUse("a", 100, 100)], at=20.0)
    b, a = usage.totals()
    assert (a, b) == (SkillTotal("a", 3, 2, 300, 180, 30.0), SkillTotal("b", 1, 1, 1000, 900, 10.0))
    assert (a.hit_rate, a.saved_share) == (2 / 3, 0.6)


def test_looking_makes_no_file(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    assert usage.totals() == ()
    assert usage.clear()
    assert not usage.path.exists()


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.record([SkillUse("a", 1)])
    assert stat.S_IMODE(usage.path.stat().st_mode) == 0o600


def test_clearing_forgets_all(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.record([SkillUse("a", 1)])
    assert usage.clear()
    assert usage.totals() == ()


@pytest.mark.parametrize(("tokens", "saved"), [(1, 2), (1, -1), (-1, -1)])
def test_more_than_all_cannot_be_saved(tokens: int, saved: int) -> None:
    with pytest.raises(UsageError, match="cannot be saved"):
        SkillUse("a", tokens, saved)


def test_threads_lose_no_use(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    counted: list[bool] = []

    def work() -> None:
        counted.extend(usage.record([SkillUse("a", 2, 1)]) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == [True] * 80
    assert [(t.uses, t.tokens, t.tokens_saved) for t in usage.totals()] == [(80, 160, 80)]


def test_another_process_counts_into_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "usage"
    SkillUsage(path).record([SkillUse("a", 1)])
    code = (
        "import sys; from pathlib import Path; from agentic_dsl.skills.usage import SkillUsage, SkillUse;"
        "assert SkillUsage(Path(sys.argv[1])).record([SkillUse('a', 1)])"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert SkillUsage(path).totals()[0].uses == 2


@pytest.mark.parametrize("content", [b"no database" * 500, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.path.write_bytes(content)
    assert usage.totals() == ()
    assert usage.path.read_bytes() == content  # looking changes nothing
    assert usage.record([SkillUse("a", 1)])
    assert [total.uses for total in usage.totals()] == [1]


def test_a_file_of_another_layout_is_made_anew(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    with sqlite3.connect(usage.path) as connection:
        connection.execute("CREATE TABLE uses (skill TEXT)")
    connection.close()
    assert usage.totals() == ()
    assert usage.record([SkillUse("a", 1)])
    assert len(usage.totals()) == 1


def test_an_empty_file_holds_no_uses(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.path.touch()
    assert usage.totals() == ()
    assert usage.record([SkillUse("a", 1)])


def test_counts_are_read_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.record([SkillUse("a", 1)])

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("agentic_dsl.skills.usage.os.open", refuse)
    assert not usage.record([SkillUse("a", 1)])
    assert not usage.clear()
    assert [total.uses for total in usage.totals()] == [1]


def test_a_row_of_another_type_is_damage(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.record([SkillUse("a", 1)])
    with sqlite3.connect(usage.path) as connection:
        connection.execute("UPDATE uses SET tokens = 'many'")
    connection.close()
    assert usage.totals() == ()


def test_a_locked_file_costs_a_count_and_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_dsl.skills.usage._BUSY_SECONDS", 0.05)
    usage = SkillUsage(tmp_path / "usage")
    usage.record([SkillUse("a", 1)])
    other = sqlite3.connect(usage.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not usage.record([SkillUse("a", 1)])
    other.execute("ROLLBACK")
    other.close()
    assert usage.record([SkillUse("a", 1)])
    assert usage.totals()[0].uses == 2


def test_where_nothing_can_be_written_nothing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    usage = SkillUsage(tmp_path / "file" / "usage")
    assert not usage.record([SkillUse("a", 1)])


def test_what_fails_halfway_is_taken_back(tmp_path: Path) -> None:
    usage = SkillUsage(tmp_path / "usage")
    usage.record([SkillUse("a", 1)])
    assert not usage.record([SkillUse("a", 1), SkillUse("b", 2**70)])
    assert [(total.skill, total.uses) for total in usage.totals()] == [("a", 1)]


@pytest.mark.parametrize(("suffix", "begin"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".SVG", b"<?xml")])
def test_a_plot_is_a_picture_and_the_same_for_the_same_counts(tmp_path: Path, suffix: str, begin: bytes) -> None:
    pytest.importorskip("matplotlib")
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    plot_usage(TOTALS, one)
    plot_usage(TOTALS, other)
    assert one.read_bytes().startswith(begin)
    assert one.read_bytes() == other.read_bytes()


def test_a_plot_names_every_skill_and_what_it_saved(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_usage(TOTALS, tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert all(word in text for word in ("planning", "writing", "90% saved", "10 ×"))


def test_nothing_can_be_drawn_too(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_usage((), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["plot", "plot.pdf", "none/plot.png"])
def test_what_cannot_be_drawn_or_written_is_misuse(tmp_path: Path, name: str) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError):
        plot_usage(TOTALS, tmp_path / name)


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: object, **named: object) -> object:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match="plots"):
        plot_usage(TOTALS, tmp_path / "plot.png")
