"""A file of lines that only grows, shared by threads and processes, rotated by size.

Each line is one write to a descriptor in append mode, which the system puts at the end of the file as a whole. Two
processes may share a file: each looks before every write whether the other has rotated it, and rotates under a lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from agentic_dsl.errors import UsageError

_log = logging.getLogger(__name__)

_OWNER_ONLY = 0o600

# Without blocking: a pipe that nobody reads costs lines, as a full disk does, and never holds up who writes.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class LineLog:
    """Appends whole lines. What cannot be written is lost, counted, and said once until writing works again.

    Attributes:
        path: the file that grows; ``path.1`` is the one before it.
        lost: how many lines could not be written.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        """Opens the file and makes its folder.

        Args:
            path: the file.
            max_bytes: a line that would make the file larger begins the next one.
            keep: how many files before it are kept; 0 keeps none.

        Raises:
            UsageError: the file cannot be opened, or a bound is none.
        """
        if max_bytes < 1 or keep < 0:
            raise UsageError(
                f"max_bytes is {max_bytes} and keep is {keep}", help="give at least 1 byte, and 0 files or more"
            )
        self.path = path
        self.lost = 0
        self._max_bytes, self._keep = max_bytes, keep
        self._lock = threading.Lock()
        self._file: int | None = None
        self._warned = self._torn = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as exc:
            raise UsageError(
                f"{path} cannot be written: {exc.strerror}", help="name a file that can be written"
            ) from exc

    def append(self, line: bytes) -> None:
        """Writes a line, its end included. Never raises for what the disk does."""
        with self._lock:
            try:
                self._write(line)
            except OSError as exc:
                self.lost += 1
                if not self._warned:
                    _log.warning("%s cannot be written (%s): lines are lost", self.path, exc.strerror)
                self._warned = True
            else:
                if self._warned:
                    _log.warning("%s can be written again; %d lines were lost", self.path, self.lost)
                self._warned = False

    def close(self) -> None:
        """Lets go of the file; the next line opens it again."""
        with self._lock:
            self._close()

    def _write(self, line: bytes) -> None:
        file = self._current(len(line))
        # What follows a torn line must not become part of it.
        whole = b"\n" + line if self._torn else line
        written = os.write(file, whole)
        self._torn = 0 < written < len(whole)
        if written < len(whole):
            raise OSError(0, "the disk took a part of the line")

    def _current(self, length: int) -> int:
        """The file to write to, rotated where the line does not fit."""
        if self._file is None or not self._is_current(self._file):
            self._open()
        assert self._file is not None  # opening raises where it cannot
        if self._is_full(self._file, length):
            self._rotate(length)
        return self._file

    def _is_current(self, file: int) -> bool:
        """Whether the path still leads there: another process may have rotated the file, or somebody removed it."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(file))

    def _is_full(self, file: int, length: int) -> bool:
        size = os.fstat(file).st_size
        return size > 0 and size + length > self._max_bytes

    def _open(self) -> None:
        self._close()
        self._file = os.open(self.path, _FLAGS, _OWNER_ONLY)
        size = os.fstat(self._file).st_size
        self._torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _rotate(self, length: int) -> None:
        with self._rotating():
            self._open()
            assert self._file is not None
            if not self._is_full(self._file, length):
                return  # another process was first
            if self._keep == 0:
                os.unlink(self.path)
            # Up to the first number that is free, else the oldest file goes.
            free = next((n for n in range(1, self._keep) if not self._numbered(n).exists()), self._keep)
            for number in range(free, 0, -1):
                os.replace(self._numbered(number - 1), self._numbered(number))
            self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path

    @contextlib.contextmanager
    def _rotating(self) -> Iterator[None]:
        """One process rotates at a time. The lock goes with the process that held it, however that ends."""
        import fcntl  # where it is missing, so are the append guarantees that this file builds on

        with open(self.path.with_name(f"{self.path.name}.lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


__all__ = ["LineLog"]
