"""`ServerProcess`: a server as a child of this process, with its log, that leaves nothing behind.

Between the two stands `agentic_dsl.runtime.service.keeper`, which owns the server's processes. It hangs on a pipe whose
other end only this process holds, so that the server ends with this process even where that one is killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.service import keeper as keeper_script

KEPT_LINES = 200
"""Lines of the log that are remembered."""

MAX_LINE = 2_000
"""Bytes of one remembered line; what is longer is cut into several."""

_SHOWN_LINES = 12
_SHOWN_ERRORS = 3
_CHUNK = 1 << 16

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Colours and other controls, which a log line may not bring into a message."""

_ERROR = re.compile(r"(?:^|[\s\]])(?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception): ")
"""The last line of a traceback."""

_FRAME = re.compile(r'\s+File "[^"]*", line \d+')

_PREFIX = re.compile(r"^\(\w[^()]* pid=\d+\) (?:[A-Z]+ \d\d-\d\d [\d:]+ \[[\w.]+:\d+\] )?")
"""What vLLM puts before a line: process, level, time, place."""


class ServerError(EngineError):
    """The server could not be started, ended by itself, or does not answer; the message ends with its last lines."""

    code = "server"


class ServerProcess:
    """A running server. Safe to use from several threads; end it with `stop`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        grace: float = 10.0,
        on_output: Callable[[bytes], None] | None = None,
    ) -> None:
        """Starts it.

        Args:
            command: what to run; its first word is a program.
            environment: all variables that it sees; None is those of this process.
            grace: seconds that it has to end by itself after it was asked to.
            on_output: called in a thread with each piece of what it writes, to both streams.

        Raises:
            ServerError: the system refuses another process.
        """
        self._grace = grace
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._lock = threading.Lock()
        keeper = [sys.executable, "-I", "-S", keeper_script.__file__, str(grace)]
        try:
            # A session of its own: Ctrl-C reaches this process alone, which then asks the server to stop.
            self._process = subprocess.Popen(
                [*keeper, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
        except OSError as exc:
            raise ServerError(f"no process can be started: {exc.strerror}", help="free memory or processes") from exc
        self._reader = threading.Thread(target=self._read, args=(on_output,), name="server log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The keeper's process, which is also the group of the server's."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How the server ended (128 and more: by a signal), None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._sweep()
        return code if code >= 0 else 128 - code

    def wait(self, seconds: float) -> int | None:
        """`exit_code`, after at most so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.exit_code()

    def last_lines(self, count: int = _SHOWN_LINES) -> tuple[str, ...]:
        """The end of what the server wrote, free of control characters."""
        if self._process.poll() is not None:
            self._reader.join(timeout=2.0)  # what it wrote at its very end is on its way
        with self._lock:
            return tuple(self._lines)[-count:]

    def ask_to_stop(self) -> None:
        """Asks the server to end within its grace; returns at once."""
        self._tell(b"t")

    def kill(self) -> None:
        """Ends the server and all that it started, now; returns at once."""
        self._tell(b"k")

    def stop(self) -> int:
        """Ends the server, gracefully if it can, and waits until nothing of it is left; gives its exit code."""
        self.ask_to_stop()
        if self.wait(self._grace + 5.0) is None:
            self.kill()
            if self.wait(5.0) is None:  # the keeper itself hangs
                self._process.kill()
                self._process.wait()
        code = self.exit_code()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._reader.join(timeout=2.0)
        return 0 if code is None else code

    def ended_error(self, when: str) -> ServerError:
        """The error for a server that has ended, with the last lines of its log.

        Args:
            when: for the sentence, such as ``before it was ready``.
        """
        code = self.exit_code()
        how = "ended" if code is None else _how(code)
        return ServerError(f"the server {how} {when}{self.tail()}", help=_help(self.last_lines()))

    def tail(self) -> str:
        """The end of the log as the end of a message, after the errors that stand before it."""
        lines = _without_frames(self.last_lines(KEPT_LINES))
        if not lines:
            return "; it wrote nothing"
        # Each process above the one that failed says once more that something failed; why, stands further up.
        before = dict.fromkeys(_without_prefix(line) for line in lines[:-_SHOWN_LINES] if _ERROR.search(line))
        errors = [f"; it said:\n{_indented(list(before)[:_SHOWN_ERRORS])}"] if before else []
        return "".join([*errors, f"; its last lines:\n{_indented(lines[-_SHOWN_LINES:])}"])

    def _tell(self, word: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it has ended already
            self._process.stdin.write(word)

    def _sweep(self) -> None:
        """After the keeper's end: where somebody killed it, processes of its group may be left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self, on_output: Callable[[bytes], None] | None) -> None:
        """Takes all that the server writes, whatever it is, so that the server never waits for a reader."""
        assert self._process.stdout is not None
        rest = b""
        while piece := self._process.stdout.read(_CHUNK):
            if on_output is not None:
                with contextlib.suppress(OSError, ValueError):  # a full disk must not stop the server
                    on_output(piece)
            *lines, rest = (rest + piece).split(b"\n")
            while len(rest) > MAX_LINE:
                lines.append(rest[:MAX_LINE])
                rest = rest[MAX_LINE:]
            self._remember(lines[-KEPT_LINES:])
        self._remember([rest])
        self._process.stdout.close()

    def _remember(self, lines: Sequence[bytes]) -> None:
        shown = [_ESCAPES.sub("", line[:MAX_LINE].decode(errors="replace")).rstrip() for line in lines]
        with self._lock:
            self._lines.extend(line for line in shown if line)


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _without_frames(lines: Sequence[str]) -> list[str]:
    """The lines without the frames of tracebacks: what went wrong stays, where in vLLM's code is for its log."""
    kept: list[str] = []
    in_frame = False
    for line in lines:
        text = _without_prefix(line)
        in_frame = _FRAME.match(text) is not None or (in_frame and text.startswith("    "))
        if not in_frame and text != "Traceback (most recent call last):":
            kept.append(line)
    return kept


def _without_prefix(line: str) -> str:
    return _PREFIX.sub("", line)


def wait_until(done: Callable[[], bool], seconds: float, tick: float = 0.1) -> bool:
    """Whether something became true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(tick)
    return True


def _how(code: int) -> str:
    if code <= 128:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        return f"ended with exit code {code}"
    return f"was killed by {name}"


def _help(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    for sign, remedy in _REMEDIES:
        if sign in text:
            return remedy
    return "read the lines above, or the whole log with --log-file"


_REMEDIES = (
    ("address already in use", "name another port with --port"),
    ("out of memory", "give the server less to hold, such as: -- --max-model-len 4096"),
    ("unrecognized arguments", "check the arguments after --"),
)
"""What some last lines mean."""
