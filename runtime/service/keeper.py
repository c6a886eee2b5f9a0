"""Keeps a server's processes together: a script that starts the server and ends only after all that it started.

``python -I -S keeper.py GRACE COMMAND…``. Whoever runs it holds the other end of its standard input, and the
server hangs on it: the byte ``t`` asks the server to stop (SIGTERM) and kills it after GRACE seconds, ``k`` kills it at
once, and the end of the input, which comes from the kernel where the holder was killed, means the same as ``t``. When
the server has ended, for whatever reason, everything that it started is killed too, in its process group or not:
orphans become children of this process, because it asked the kernel for them. Only then does it end, with the server's
exit code, or with 128 and the number of the signal that ended it.

The standard library alone, in one thread: it must start at once and never fail.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_TICK = 0.1
"""Seconds between two looks at the server."""

_PATIENCE = 1.5
"""Seconds that other processes have after the server's end."""

_STOP, _KILL = b"t", b"k"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_CANNOT_START = 127
"""The exit code where the command cannot be run, as in a shell."""


def keep(grace: float, command: list[str]) -> int:
    """Starts the command, waits for its end or for ours, leaves no process behind; gives the exit code."""
    stop_asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: stop_asked.append(number))
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        # There is one thread, so nothing that runs between fork and exec can wait for a lock.
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    except OSError as exc:
        print(f"{command[0]} cannot be started: {exc.strerror}", flush=True)
        return _CANNOT_START
    code = _watch(server, grace, stop_asked)
    _kill_the_rest()
    return code if code >= 0 else 128 - code


def _watch(server: subprocess.Popen[bytes], grace: float, stop_asked: list[int]) -> int:
    """The exit code of the server, once it has ended by itself or was made to."""
    deadline: float | None = None
    listening = True
    while (code := server.poll()) is None:
        _reap_orphans(server.pid)
        word = _next_word(listening)
        listening = listening and word != b""
        if word == _KILL or (deadline is not None and time.monotonic() > deadline):
            server.kill()
            return server.wait()
        if deadline is None and (word in (_STOP, b"") or stop_asked):
            deadline = time.monotonic() + grace
            server.terminate()
    return code


def _next_word(listening: bool) -> bytes | None:
    """What comes on standard input within a tick: a byte, nothing where it is closed, None where all is quiet."""
    if not listening:
        time.sleep(_TICK)
        return None
    try:
        ready, _, _ = select.select([0], [], [], _TICK)
        return os.read(0, 1) if ready else None
    except OSError:
        return b""


def _reap_orphans(server: int) -> None:
    """Takes the exit codes of orphans, so that they do not stay as zombies; the server's own is left to `Popen`."""
    with contextlib.suppress(ChildProcessError):
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid in (0, server):
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


def _kill_the_rest() -> None:
    """Kills until nobody is left; what a killed process leaves behind becomes a child of this one, and is next.

    First each is asked, and has a moment: engine cores, and Python's tracker of shared memory, clear away what is left.
    """
    patience = time.monotonic() + _PATIENCE
    asked: set[int] = set()
    while True:
        late = time.monotonic() > patience
        for pid in _children():
            if late or pid not in asked:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_TICK / 10)


def _children() -> Iterator[int]:
    """The children of this process; none where the system has no ``/proc``, and then no orphans come here either."""
    me = str(os.getpid())
    with contextlib.suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                # "pid (name) state parent …", where the name may hold brackets of its own.
                stat = Path("/proc", name, "stat").read_text(errors="replace")
                if stat.rpartition(")")[2].split()[1] == me:
                    yield int(name)


def _die_with_parent() -> None:
    """Runs in the server before it begins: it is killed with this process, however that ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(keep(float(sys.argv[1]), sys.argv[2:]))
