"""``agentic-dsl serve`` as operators run it, with a small process in vLLM's place."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentic_dsl.runtime.service.process import wait_until

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "examples" / "library"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

Start = Callable[..., "subprocess.Popen[str]"]


BEGIN = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if str(int(number)) in sys.argv[1].split(",") else signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes a command that ignores these signals and no others, whatever the tests were started with."""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder that comes first on the path: vLLM's server is the small process, our plug-in is registered."""
    folder = tmp_path / "packages"
    module = folder / "vllm" / "entrypoints" / "openai"
    module.mkdir(parents=True)
    for package in (folder / "vllm", module.parent, module):
        (package / "__init__.py").touch()
    shutil.copy(ROOT / "tests" / "fixtures" / "serving" / "plays_a_server.py", module / "api_server.py")
    about = folder / "installed-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[vllm.general_plugins]\nagentic-dsl = ours:register\n")
    model = tmp_path / "small"
    model.mkdir()
    (model / "config.json").write_text("{}")
    return folder


@pytest.fixture
def start(packages: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts ``serve`` and ends it, whatever the test did."""
    running: list[subprocess.Popen[str]] = []

    def call(
        *arguments: object, port: int = 0, ignores: Sequence[signal.Signals] = (), **streams: object
    ) -> subprocess.Popen[str]:
        begin = [sys.executable, "-I", "-S", "-c", BEGIN, ",".join(str(int(number)) for number in ignores)]
        command = [
            *begin,
            sys.executable,
            "-m",
            "agentic_dsl.cli",
            "serve",
            "--model",
            tmp_path / "small",
            "--port",
            port,
        ]
        chosen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams
        process = subprocess.Popen([str(word) for word in (*command, *arguments)], env=environment(), **chosen)  # type: ignore[call-overload]
        running.append(process)
        return process  # type: ignore[no-any-return]

    def environment() -> dict[str, str]:
        mark = {"SERVICE_TEST": mark_of(request), "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}", "HOME": str(tmp_path)}
        return {"PATH": os.environ["PATH"]} | mark

    yield call
    for process in running:
        process.kill()
        process.communicate()
    assert wait_until(lambda: left(request) == [], 15), left(request)


def mark_of(request: pytest.FixtureRequest) -> str:
    return f"{os.getpid()}-{request.node.name}"


def left(request: pytest.FixtureRequest) -> list[int]:
    """Processes that the test has started and that run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            mark = f"SERVICE_TEST={mark_of(request)}\0".encode()
            if folder.name.isdecimal() and mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_one_line_says_that_it_is_ready_and_sigterm_ends_everything(
    start: Start, request: pytest.FixtureRequest
) -> None:
    process = start("--", "--overlay", "on", "--children")
    line = process.stdout.readline()
    assert line.startswith("ready: http://127.0.0.1:")
    assert line.endswith("/v1, model small, overlay on\n")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "plays a server" in err, "without a log file the log goes to stderr"
    assert left(request) == []


def test_ctrl_c_exits_with_130_and_leaves_nothing(start: Start, request: pytest.FixtureRequest) -> None:
    process = start("--quiet", "--", "--overlay", "on", "--children")
    assert process.stdout.readline().startswith("ready: ")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "interrupted\n")
    assert process.returncode == 130
    assert left(request) == []


@pytest.mark.parametrize("ignored", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_was_ignored_when_it_began_ends_nothing(
    start: Start, ignored: signal.Signals, request: pytest.FixtureRequest
) -> None:
    process = start("--quiet", ignores=[ignored])
    assert process.stdout.readline().startswith("ready: ")
    process.send_signal(ignored)
    process.send_signal(ignored)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    process.send_signal(signal.SIGTERM if ignored != signal.SIGTERM else signal.SIGHUP)
    assert process.wait(20) == 0
    assert left(request) == []


def test_a_closed_terminal_ends_it(start: Start, request: pytest.FixtureRequest) -> None:
    process = start("--quiet")
    assert process.stdout.readline().startswith("ready: ")
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 0
    assert left(request) == []


def test_a_second_signal_does_not_wait_for_the_grace(start: Start, request: pytest.FixtureRequest) -> None:
    process = start("--grace", 60, "--", "--ignore-sigterm", "--children")
    assert process.stdout.readline().startswith("ready: ")
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert left(request) == []


@pytest.mark.parametrize("moment", ["--start-after", "--answer-after"])
def test_a_signal_while_it_gets_ready_ends_it_too(start: Start, moment: str, request: pytest.FixtureRequest) -> None:
    process = start("--warm-up", "/dynamic/plan", "--", moment, 60, "--children")
    assert wait_until(lambda: len(left(request)) == 7, 20)
    sign = "plays a server" if moment == "--start-after" else "request:"
    while sign not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "")
    assert "error" not in err
    assert left(request) == []


def test_nothing_is_left_when_serve_itself_is_killed(start: Start, request: pytest.FixtureRequest) -> None:
    process = start("--grace", 1, "--", "--children", "--ignore-sigterm")
    assert process.stdout.readline().startswith("ready: ")
    process.kill()
    process.wait()
    assert wait_until(lambda: left(request) == [], 10), left(request)


def test_the_record_names_the_address_and_each_warm_up(start: Start) -> None:
    process = start(
        *("--format", "json", "--warm-up", "/lib/travel/estimate", "--lib", LIBRARY),
        *("--", "--overlay", "off", "--served-model-name", "mine"),
    )
    record = json.loads(process.stdout.readline())
    assert list(record) == ["url", "model", "overlay", "pid", "seconds", "warm_up"]
    assert (record["model"], record["overlay"]) == ("mine", False)
    labels = [item["label"] for item in record["warm_up"]]
    assert labels == ["calls /lib/travel/estimate", "writes /lib/travel/estimate", "calls the whole library"]
    assert all(item["error"] is None and item["seconds"] >= 0 for item in record["warm_up"])
    process.terminate()
    assert "warning: the plug-in is not active" in process.communicate(timeout=20)[1]


def test_documents_and_constraints_can_be_warmed_up(start: Start, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.json"
    wanted.write_text('{"max_nodes": 4}')
    specs = ("--warm-up-spec", ROOT / "examples" / "trip.md", "--warm-up-spec", wanted)
    process = start("--format", "json", *specs, "--", "--refuse")
    record = json.loads(process.stdout.readline())
    assert [item["label"] for item in record["warm_up"]] == [str(specs[1]), str(wanted)]
    assert all("this grammar is not for me" in item["error"] for item in record["warm_up"]), "refused, and it runs on"
    process.terminate()
    assert process.wait(20) == 0


def test_a_server_that_ends_by_itself_is_a_failure_with_its_last_lines(start: Start) -> None:
    process = start("--quiet", "--", "--crash-after", 0.5)
    assert process.stdout.readline().startswith("ready: ")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert err.startswith("error: the server ended with exit code 7 while it served; its last lines:\n")
    assert "\n  listening\n" in err


def test_a_server_that_cannot_start_is_a_failure_in_the_form_asked_for(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    process = start("--format", "json", "--log-file", log, "--", "--crash-at-start", 1)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 2
    error = json.loads(out)["error"]
    assert error["code"] == "server"
    assert "RuntimeError: the engine core failed" in error["message"]
    assert "engine core" not in err
    assert b"RuntimeError: the engine core failed" in log.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--warm-up", "/lib/travel/nowhere", "--lib", LIBRARY), 'the library has no entry "/lib/travel/nowhere"'),
        (("--warm-up", "/lib/travel/estimate"), "without a library"),
        (("--warm-up-spec", "nowhere.md"), "nowhere.md"),
        (("--lib", "nowhere"), "nowhere does not exist"),
        (("--log-file", "/nowhere/x.log"), "/nowhere/x.log cannot be written"),
        (("--", "--port", "1"), "--port stands after --"),
        (("--timeout", "0"), "--timeout"),
        (("--host", "a..b"), '"a..b" is no address'),
        (("--host", b"\xff".decode(errors="surrogateescape")), "is no address"),
        (("--model", "m" * 300), "there is no model"),
        (("--", "--api-key", "kéy"), "the value of --api-key has"),
    ],
)
def test_wrong_usage_is_said_before_anything_starts(
    start: Start, arguments: tuple[object, ...], message: str, request: pytest.FixtureRequest
) -> None:
    process = start(*arguments)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert message in err
    assert "this is a bug" not in err
    assert "help: " in err or "--timeout" in message
    assert "plays a server" not in err


def test_on_a_terminal_the_log_gives_way_to_one_line_until_it_is_ready(start: Start) -> None:
    ours, theirs = pty.openpty()
    process = start("--", "--start-after", 1, stderr=theirs)
    os.close(theirs)
    assert process.stdout.readline().startswith("ready: ")
    seen = os.read(ours, 1 << 16).decode()
    process.terminate()
    process.wait(20)
    os.close(ours)
    assert "starting small, 0 s" in seen
    assert "\x1b[32mINFO" not in seen, "the log's own colours are not there"
