"""On a terminal: colour unless it is turned off. Ctrl-C: exit code 130."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import EXAMPLES, ROOT

ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "COLUMNS": "80"}


def on_a_terminal(*arguments: object, cwd: Path, **environment: str) -> tuple[int, str]:
    """Exit code and everything that a person would see."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "agentic_dsl.cli", *map(str, arguments)]
    child = subprocess.Popen(
        command, cwd=cwd, env=ENVIRONMENT | environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    return child.wait(timeout=60), seen.decode()


def test_findings_are_coloured(tmp_path: Path) -> None:
    code, seen = on_a_terminal("validate", EXAMPLES / "broken.md", cwd=tmp_path)
    assert code == 1
    assert "\x1b[1;31merror ADL301" in seen


def test_no_color_is_obeyed(tmp_path: Path) -> None:
    for setting in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        for arguments in (["validate", EXAMPLES / "broken.md"], ["--help"]):
            _, seen = on_a_terminal(*arguments, cwd=tmp_path, **setting)
            assert "\x1b" not in seen


def test_help_is_boxed(tmp_path: Path) -> None:
    code, seen = on_a_terminal("compile", "--help", cwd=tmp_path)
    assert code == 0
    assert "Constraint options" in seen


def test_the_drawing_takes_the_width_there_is(tmp_path: Path) -> None:
    _, narrow = on_a_terminal("graph", EXAMPLES / "trip.md", cwd=tmp_path, COLUMNS="40")
    assert "●" in narrow
    _, wide = on_a_terminal("graph", EXAMPLES / "trip.md", cwd=tmp_path, COLUMNS="100")
    assert "┌" in wide


def test_ctrl_c_exits_with_130_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentic_dsl.cli", "validate", "-"]
    # What a shell starts in the background ignores the signal, and so would its children: the tests must not be that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        child = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert child.stdin is not None
    child.stdin.write(b"x")
    child.stdin.flush()
    waits = Path(f"/proc/{child.pid}/wchan")  # names where the kernel holds the process, on Linux
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not (waits.exists() and "pipe" in waits.read_text()):
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, b"")
    assert err == b"interrupted\n"
