"""A server as a child: whatever it does, its log is kept and no process of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentic_dsl.runtime.service.plan import free_port
from agentic_dsl.runtime.service.process import KEPT_LINES, MAX_LINE, ServerError, ServerProcess, wait_until

ROOT = Path(__file__).resolve().parents[3]
CHILD = ROOT / "tests" / "fixtures" / "serving" / "plays_a_server.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(CHILD), "--port", str(free_port("127.0.0.1", 0)), *map(str, arguments)]


def processes_with(mark: str) -> list[int]:
    """Running processes that have a variable of this value, which children inherit; zombies have none."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and f"SERVICE_TEST={mark}\0".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def environment(mark: str) -> dict[str, str]:
    return dict(os.environ) | {"SERVICE_TEST": mark}


def started(mark: str, *arguments: object, grace: float = 5.0, processes: int = 2) -> ServerProcess:
    """A server with its keeper, once it and its children run."""
    process = ServerProcess(command(*arguments), environment=environment(mark), grace=grace)
    assert wait_until(lambda: any("listening" in line for line in process.last_lines()), 20), process.last_lines()
    assert wait_until(lambda: len(processes_with(mark)) == processes, 20), processes_with(mark)
    return process


@pytest.fixture
def mark(request: pytest.FixtureRequest) -> str:
    return f"{os.getpid()}-{request.node.name}"


def test_a_server_that_is_stopped_ends_gracefully_with_all_its_children(mark: str) -> None:
    process = started(mark, "--children", processes=6)
    began = time.monotonic()
    assert process.exit_code() is None
    assert process.stop() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 4, "its children ignore SIGTERM, and it does not: nobody waited for the grace"
    assert processes_with(mark) == []
    assert process.stop() == 128 + signal.SIGTERM, "stopping again does nothing"


def test_a_server_that_ignores_the_request_is_killed_after_its_grace(mark: str) -> None:
    process = started(mark, "--ignore-sigterm", grace=1.0)
    began = time.monotonic()
    assert process.stop() == 128 + signal.SIGKILL
    assert 0.9 < time.monotonic() - began < 4
    assert processes_with(mark) == []


def test_a_second_request_does_not_wait_for_the_grace(mark: str) -> None:
    process = started(mark, "--ignore-sigterm", "--children", grace=60.0, processes=6)
    process.ask_to_stop()
    assert process.wait(0.5) is None
    process.kill()
    assert process.wait(5.0) == 128 + signal.SIGKILL
    assert processes_with(mark) == []
    process.stop()


def test_the_children_of_a_server_that_was_killed_are_not_left(mark: str) -> None:
    process = started(mark, "--children", processes=6)
    (server,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(server), signal.SIGKILL)
    assert process.wait(10.0) == 128 + signal.SIGKILL
    assert processes_with(mark) == []
    assert process.ended_error("while it worked").message.startswith("the server was killed by SIGKILL while it worked")
    process.stop()


def test_a_keeper_that_was_killed_takes_its_group_along(mark: str) -> None:
    process = started(mark, processes=2)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10.0) == 128 + signal.SIGKILL
    assert wait_until(lambda: processes_with(mark) == [], 5)
    process.stop()


def test_nothing_is_left_where_whoever_started_the_server_is_killed(mark: str, tmp_path: Path) -> None:
    holder = (
        "import sys, time\n"
        "from agentic_dsl.runtime.service.process import ServerProcess\n"
        f"process = ServerProcess({command('--children', '--ignore-sigterm')!r}, grace=0.5)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", holder], env=environment(mark) | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path
    )
    try:
        assert wait_until(lambda: len(processes_with(mark)) == 7, 20), processes_with(mark)
    finally:
        child.kill()
        child.wait()
    assert wait_until(lambda: processes_with(mark) == [], 10), processes_with(mark)


def test_a_server_that_crashes_says_its_last_lines_without_colours(mark: str) -> None:
    process = ServerProcess(command("--crash-at-start", 3), environment=environment(mark))
    assert process.wait(20.0) == 3
    error = process.ended_error("before it was ready")
    assert isinstance(error, ServerError)
    assert error.code == "server"
    assert error.message == (
        "the server ended with exit code 3 before it was ready; its last lines:\n"
        "  INFO plays a server, plugins None\n  RuntimeError: the engine core failed"
    )
    process.stop()


def test_what_failed_first_is_said_although_much_was_written_after_it(mark: str) -> None:
    process = ServerProcess(command("--crash-at-start", 1, "--root-cause"), environment=environment(mark))
    assert process.wait(20.0) == 1
    head, _, tail = process.ended_error("before it was ready").message.partition("; its last lines:\n")
    assert head.endswith("before it was ready; it said:\n  ValueError: the model is too large")
    assert tail.splitlines()[-1] == "  RuntimeError: the engine core failed"
    assert len(tail.splitlines()) == 12
    process.stop()


def test_of_a_traceback_what_went_wrong_is_said_and_not_where() -> None:
    program = "import json\nprint('starting', flush=True)\njson.loads('[1,')"
    process = ServerProcess([sys.executable, "-c", program])
    assert process.wait(20.0) == 1
    assert any("Traceback" in line for line in process.last_lines()), "the log itself has all of it"
    _, _, tail = process.ended_error("at once").message.partition("; its last lines:\n")
    assert tail.splitlines()[0] == "  starting"
    assert tail.splitlines()[1].startswith("  json.decoder.JSONDecodeError: ")
    assert len(tail.splitlines()) == 2
    process.stop()


def test_a_program_that_is_not_there_is_an_end_and_no_traceback() -> None:
    process = ServerProcess(["/nowhere/python"])
    assert process.wait(20.0) == 127
    assert "/nowhere/python cannot be started: No such file or directory" in process.ended_error("at once").message
    process.stop()


def test_a_flood_of_output_neither_blocks_the_server_nor_fills_the_memory(mark: str) -> None:
    seen = 0

    def count(piece: bytes) -> None:
        nonlocal seen
        seen += len(piece)

    process = ServerProcess(command("--flood", 64), environment=environment(mark), on_output=count)
    assert wait_until(lambda: "listening" in process.last_lines(1), 60)
    lines = process.last_lines(10_000)
    assert seen > 64 << 20
    assert len(lines) <= KEPT_LINES
    assert max(map(len, lines)) <= MAX_LINE
    assert lines[-2:] == ("the flood is over", "listening")
    process.stop()


def test_a_reader_of_the_log_that_fails_stops_nothing(mark: str) -> None:
    def full(_piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    process = ServerProcess(command(), environment=environment(mark), on_output=full)
    assert wait_until(lambda: "listening" in process.last_lines(1), 20)
    assert process.exit_code() is None
    process.stop()
