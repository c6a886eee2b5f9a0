"""What a command prints, and where: data on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from agentic_dsl.errors import UsageError

FINE, FINDINGS, FAILURE, INTERRUPTED = 0, 1, 2, 130
"""The exit codes: fine · findings or an invalid result · wrong usage or a failure of the tool · Ctrl-C."""

Styled = list[tuple[str, str]]
"""One line as pieces of text, each with a style of rich (empty = plain)."""


def is_terminal(stream: TextIO) -> bool:
    """Whether people see the stream directly."""
    try:
        return stream.isatty()
    except ValueError:  # the stream is closed
        return False


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to the stream: a terminal that is not told otherwise (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def takes_unicode(stream: TextIO) -> bool:
    """Whether box characters survive the encoding of the stream."""
    try:
        "┌─▼│╌".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Output:
    """The two streams of one command.

    Attributes:
        json: whether the result is one JSON object.
        quiet: whether notes and progress are left out.
    """

    json: bool = False
    quiet: bool = False

    def data(self, text: str) -> None:
        """Result text to stdout, as it is."""
        with stdout_takes_it():
            sys.stdout.write(text)

    def record(self, record: Any) -> None:
        """The result as one JSON object."""
        self.data(json.dumps(record, ensure_ascii=not takes_unicode(sys.stdout), indent=2) + "\n")

    def lines(self, lines: Iterable[Styled], *, stream: TextIO | None = None) -> None:
        """Styled lines, to stdout unless another stream is named; coloured where somebody looks."""
        if stream is not None:
            _write_lines(lines, stream)
            return
        with stdout_takes_it():
            _write_lines(lines, sys.stdout)

    def note(self, text: str) -> None:
        """One line for people, to stderr; nothing where it is quiet."""
        if not self.quiet:
            sys.stderr.write(text + "\n")

    def notes(self, lines: Iterable[Styled]) -> None:
        """Styled lines for people, to stderr."""
        if not self.quiet:
            self.lines(lines, stream=sys.stderr)

    @property
    def shows_progress(self) -> bool:
        """Whether somebody looks at progress."""
        return not self.quiet and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"

    def save(self, target: str | None, text: str) -> None:
        """Result text to a file, or to stdout where there is none or it is ``-``."""
        if target is None or target == "-":
            self.data(text)
            return
        write_file(Path(target), text)
        self.note(f"wrote {target}")


def _write_lines(lines: Iterable[Styled], stream: TextIO) -> None:
    if not wants_colour(stream):
        stream.writelines("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(Text.assemble(*line))


@contextlib.contextmanager
def stdout_takes_it() -> Iterator[None]:
    """While something is written to stdout.

    Raises:
        UsageError: it cannot be written; what a command says from then on goes to stderr.
    """
    try:
        yield
        with contextlib.suppress(BrokenPipeError):  # whoever flushes at the end will know
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        _point_stdout_to_stderr()
        message = f"the output cannot be written: {exc.strerror}"
        raise UsageError(message, help="write it to a place that has room for it") from exc


def _point_stdout_to_stderr() -> None:
    """Drops what stdout still holds, which would fail again at the end of the program."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # a stream may have no file
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        sys.stdout.flush()
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def write_file(path: Path, text: str) -> None:
    """Replaces a file in one step: readers and an interruption see the old text or the new one.

    A link is followed, so that it stays a link; the permissions of an existing file are kept.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        _replace(path, text)
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise UsageError(f"{path} cannot be written: {exc.strerror}", help="name a file that can be written") from exc


def _replace(path: Path, text: str) -> None:
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not target.is_file():
        if target.is_dir():
            raise UsageError(f"{path} is a folder", help="name a file")
        target.write_text(text, encoding="utf-8", newline="")  # a device or pipe cannot be replaced
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        os.chmod(name, target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    """The mask of the process; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def plural(count: int, word: str, words: str | None = None) -> str:
    """``1 file``, ``2 files``; ``words`` where the plural is not made with an s."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"
