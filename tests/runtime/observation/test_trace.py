"""Request traces: whole lines whatever happens, nothing private unless asked for, and readers that survive the rest."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import Message, Prompt, Sampling, Stats
from agentic_dsl.runtime.observation import trace as trace_module
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.observation.trace import RequestTrace, TraceWriter, prompt_digest, read_traces

ROOT = Path(__file__).resolve().parents[3]
SIMPLE = RequestTrace(time="2026-11-21T10:00:00.000000Z", request_id="r0", engine="random", model="bytes")


def numbered(start: int, count: int) -> list[RequestTrace]:
    return [
        replace(SIMPLE, request_id=f"r{number}", token_ids=(number,) * 50) for number in range(start, start + count)
    ]


def ids_in(path: Path) -> list[str]:
    return [trace.request_id for trace in read_traces(path, on_skip=pytest.fail)]


# One line


def test_a_line_comes_back_as_it_was(tmp_path: Path) -> None:
    full = replace(
        SIMPLE,
        prompt=({"role": "user", "content": "zwölf\n\u2028 \x00"},),
        text="### AgenticDSL",
        sampling=Sampling(temperature=0.7, top_p=0.9, top_k=5, seed=3),
        prompt_token_ids=(1, 2),
        token_ids=(3, 4),
        stats=Stats(tokens=2, prompt_tokens=2, forward_passes=2, mask_us=1.5, seconds=0.25, cached_tokens=1),
        overlay=True,
        finish="stop",
        valid=True,
        diagnostics=("ADL603",),
    )
    with TraceWriter(tmp_path / "t.jsonl") as writer:
        writer.write(full)
    assert list(read_traces(tmp_path / "t.jsonl", on_skip=pytest.fail)) == [full]
    assert (tmp_path / "t.jsonl").read_bytes().count(b"\n") == 1


def test_only_the_owner_can_read_a_trace_file(tmp_path: Path) -> None:
    TraceWriter(tmp_path / "deep" / "t.jsonl").close()
    assert stat.S_IMODE((tmp_path / "deep" / "t.jsonl").stat().st_mode) == 0o600


def test_a_file_that_was_there_keeps_its_mode_and_the_next_one_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.touch()
    path.chmod(0o640)  # somebody's group is meant to read it
    with TraceWriter(path, max_bytes=1) as writer:
        writer.write(SIMPLE)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        writer.write(SIMPLE)
    assert stat.S_IMODE(path.with_name("t.jsonl.1").stat().st_mode) == 0o640
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_numbers_that_no_request_can_have_are_0_in_a_line_so_that_it_can_be_read(tmp_path: Path) -> None:
    claimed = Stats(tokens=-5, prompt_tokens=int("9" * 401), mask_us=float("nan"), seconds=2.0, cached_tokens=3)
    generation = Generation(text="", subgraph=None, diagnostics=(), report=(), stats=claimed)
    path = tmp_path / "t.jsonl"
    with TraceWriter(path) as writer, Observers((writer,)).call("e/m", 1) as call:
        call.done([generation])
    [trace] = read_traces(path, on_skip=pytest.fail)
    assert trace.stats == Stats(seconds=2.0, cached_tokens=3)


def test_equal_prompts_have_equal_digests_and_different_ones_do_not() -> None:
    one = Prompt((Message("system", "a"), Message("user", "b")))
    assert prompt_digest(one) == prompt_digest(Prompt((Message("system", "a"), Message("user", "b"))))
    canonical = b'[{"content":"a","role":"system"},{"content":"b","role":"user"}]'
    assert prompt_digest(one) == hashlib.sha256(canonical).hexdigest()
    others = [
        Prompt((Message("user", "a"), Message("user", "b"))),
        Prompt((Message("system", "ab"), Message("user", ""))),
        Prompt((Message("system", "a"),)),
        Prompt((Message("system", "a"), Message("user", "\ud800"))),
    ]
    assert len({prompt_digest(prompt) for prompt in (one, *others)}) == 5


def test_a_line_that_would_be_too_long_goes_without_its_tokens_and_says_so(tmp_path: Path) -> None:
    long = replace(SIMPLE, prompt_token_ids=(1,), token_ids=(100_000,) * 2_000_000)
    with TraceWriter(tmp_path / "t.jsonl") as writer:
        writer.write(long)
        writer.write(SIMPLE)
    slim, after = read_traces(tmp_path / "t.jsonl", on_skip=pytest.fail)
    assert (slim.token_ids, slim.prompt_token_ids, slim.dropped) == (None, None, ("prompt_token_ids", "token_ids"))
    assert after == SIMPLE


# Files


def test_files_are_rotated_by_size_and_no_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    written = numbered(0, 60)
    with TraceWriter(path, max_bytes=8_000, keep=20) as writer:
        for trace in written:
            writer.write(trace)
    older = sorted(tmp_path.glob("t.jsonl.[0-9]*"), key=lambda file: -int(file.suffix[1:]))
    assert len(older) > 2
    assert all(file.stat().st_size <= 8_000 for file in (*older, path))
    assert [name for file in (*older, path) for name in ids_in(file)] == [trace.request_id for trace in written]


@pytest.mark.parametrize("keep", [0, 2])
def test_no_more_files_are_kept_than_asked_for(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "t.jsonl"
    with TraceWriter(path, max_bytes=4_000, keep=keep) as writer:
        for trace in numbered(0, 60):
            writer.write(trace)
    assert len(list(tmp_path.glob("t.jsonl.[0-9]*"))) == keep
    assert ids_in(path)[-1] == "r59"


def test_a_line_longer_than_a_file_still_gets_one(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.jsonl", max_bytes=10, keep=9) as writer:
        for trace in numbered(0, 3):
            writer.write(trace)
    assert [ids_in(tmp_path / name) for name in ("t.jsonl.2", "t.jsonl.1", "t.jsonl")] == [["r0"], ["r1"], ["r2"]]


def test_threads_share_a_writer_through_rotations(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with TraceWriter(path, max_bytes=1_500, keep=500) as writer:

        def write(start: int) -> None:
            for trace in numbered(start, 25):
                writer.write(trace)

        threads = [threading.Thread(target=write, args=(1000 * number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [name for file in tmp_path.glob("t.jsonl*") if file.suffix != ".lock" for name in ids_in(file)]
    assert sorted(found) == sorted(f"r{1000 * thread + number}" for thread in range(8) for number in range(25))


def write_many(path: str, start: int, count: int) -> None:
    # A file for every two lines, so that processes meet while they rotate.
    with TraceWriter(path, max_bytes=1_500, keep=500) as writer:
        for trace in numbered(start, count):
            writer.write(trace)


def test_processes_share_a_file_through_rotations(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_many, args=(str(path), 1000 * n, 60)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    found = [name for file in tmp_path.glob("t.jsonl*") if file.suffix != ".lock" for name in ids_in(file)]
    assert sorted(found) == sorted(f"r{1000 * process + number}" for process in range(3) for number in range(60))


def test_a_file_that_somebody_removes_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with TraceWriter(path) as writer:
        writer.write(SIMPLE)
        path.unlink()
        writer.write(replace(SIMPLE, request_id="after"))
    assert ids_in(path) == ["after"]


# What goes wrong


def test_a_process_that_is_killed_leaves_whole_lines_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    code = (
        "from dataclasses import replace\n"
        "from agentic_dsl.runtime.observation.trace import RequestTrace, TraceWriter\n"
        f"writer = TraceWriter({str(path)!r})\n"
        "n = 0\n"
        "while True:\n"
        "    writer.write(RequestTrace(time='t', request_id=f'r{n}', engine='e', token_ids=(n,) * 2000))\n"
        "    n += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 60
    while (not path.exists() or path.stat().st_size < 500_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    skipped: list[str] = []
    before = [trace.request_id for trace in read_traces(path, on_skip=skipped.append)]
    assert before == [f"r{number}" for number in range(len(before))]
    assert len(before) > 20
    assert len(skipped) <= 1
    with TraceWriter(path) as writer:
        writer.write(replace(SIMPLE, request_id="next"))
    assert [trace.request_id for trace in read_traces(path, on_skip=skipped.append)] == [*before, "next"]


def test_a_torn_line_is_skipped_with_a_note_and_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with TraceWriter(path) as writer:
        writer.write(SIMPLE)
        writer.write(SIMPLE)
    path.write_bytes(path.read_bytes()[:-20])
    skipped: list[str] = []
    assert len(list(read_traces(path, on_skip=skipped.append))) == 1
    assert skipped == [f"{path}: line 2 is cut short"]
    with TraceWriter(path) as writer:  # goes on below the torn line
        writer.write(SIMPLE)
    assert len(list(read_traces(path, on_skip=skipped.append))) == 2


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"no json", "is not JSON"),
        (b"[1, 2]", "is no request trace"),
        (b'{"version": 1}', "is no request trace: time"),
        (b'{"version": 1, "time": "t", "request_id": 3, "engine": "e"}', "is no request trace: request_id"),
        (b'{"version": 2, "time": "t", "request_id": "r", "engine": "e"}', "is of version 2, and 1 is known here"),
        (b'{"time": "t", "request_id": "r", "engine": "e", "token_ids": ["1"]}', "is no request trace: token_ids.0"),
        (
            b'{"time": "t", "request_id": "r", "engine": "e", "sampling": {"temperature": -1}}',
            "is no request trace: the temperature is -1",
        ),
        *(
            (
                b'{"time": "t", "request_id": "r", "engine": "e", "stats": {"%s": %s}}' % (name, number),
                f"is no request trace: stats.{name.decode()} should be between 0 and 9,007,199,254,740,992",
            )
            for name, number in (
                *((b"tokens", b"-1"), (b"tokens", b"9" * 401), (b"cached_tokens", b"9007199254740993")),
                *((b"seconds", b"NaN"), (b"seconds", b"1e400"), (b"mask_us", b"-0.5")),
            )
        ),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_lines_that_are_no_traces_are_skipped_with_the_reason(tmp_path: Path, line: bytes, why: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\n" + line + b"\n" + SIMPLE.line())
    skipped: list[str] = []
    assert list(read_traces(path, on_skip=skipped.append)) == [SIMPLE]
    [note] = skipped
    assert note.startswith(f"{path}: line 2 {why}")


def test_fields_of_later_versions_are_read_over(tmp_path: Path) -> None:
    record = json.loads(SIMPLE.line()) | {"new": {"field": 1}}
    (tmp_path / "t.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert list(read_traces(tmp_path / "t.jsonl", on_skip=pytest.fail)) == [SIMPLE]


def test_a_line_without_end_costs_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_LINE", 1_000)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"x" * 10_000 + b"\n" + SIMPLE.line() + b"y" * 5_000)
    skipped: list[str] = []
    assert list(read_traces(path, on_skip=skipped.append)) == [SIMPLE]
    assert skipped == [f"{path}: line {number} is longer than 1,000 bytes" for number in (1, 3)]


def test_a_full_disk_is_one_warning_and_every_line_lost_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), TraceWriter("/dev/full") as writer:
        for trace in numbered(0, 5):
            writer.write(trace)
        assert writer.lost == 5
    assert [record.getMessage() for record in caplog.records] == [
        "/dev/full cannot be written (No space left on device): lines are lost"
    ]


def test_a_pipe_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    start = time.monotonic()
    with TraceWriter(tmp_path / "pipe") as writer:
        for trace in numbered(0, 1_000):
            writer.write(trace)
        assert 0 < writer.lost < 1_000
    assert time.monotonic() - start < 10


def test_a_disk_that_takes_half_a_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    length = len(SIMPLE.line())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with TraceWriter(path) as writer:
            writer.write(SIMPLE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (length + 30, hard))
            writer.write(SIMPLE)  # 30 bytes of it
            writer.write(SIMPLE)  # nothing
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            writer.write(replace(SIMPLE, request_id="after"))
            assert writer.lost == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    skipped: list[str] = []
    assert [trace.request_id for trace in read_traces(path, on_skip=skipped.append)] == ["r0", "after"]
    assert skipped == [f"{path}: line 2 is cut short"]


@pytest.mark.parametrize("bounds", [{"max_bytes": 0}, {"keep": -1}])
def test_bounds_that_are_none_are_refused(tmp_path: Path, bounds: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="at least 1 byte"):
        TraceWriter(tmp_path / "t.jsonl", **bounds)


def test_a_file_that_cannot_be_opened_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        TraceWriter(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        TraceWriter(tmp_path / "file" / "t.jsonl")
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_traces(tmp_path / "nowhere.jsonl"))


def test_a_closed_writer_opens_its_file_again(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "t.jsonl")
    writer.close()
    writer.close()
    writer.write(SIMPLE)
    writer.close()
    assert ids_in(tmp_path / "t.jsonl") == ["r0"]
    assert not [name for name in os.listdir("/proc/self/fd") if _leads_to(name, tmp_path)]


def _leads_to(descriptor: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").startswith(str(folder))
    except OSError:
        return False
