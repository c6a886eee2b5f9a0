"""``agentic-dsl lint --watch``: lints again whenever a file changes, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from agentic_dsl.cli.findings import printable
from agentic_dsl.cli.inputs import STDIN, SUFFIX
from agentic_dsl.cli.output import Output, is_terminal, plural
from agentic_dsl.cli.settings import OWN_FILE, PROJECT_FILE
from agentic_dsl.errors import AgenticDSLError, MissingExtraError, UsageError

CLEAR = "\x1b[2J\x1b[3J\x1b[H"
"""Clears a terminal and what it has scrolled by, and goes to its top."""

_DEBOUNCE_MS = 200
"""Changes that follow each other within this time are one: editors write a file in several steps."""

_PATIENCE_MS = 250
"""After this time without a change the watcher answers, so that its start can be waited for."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched.

    Attributes:
        folders: the folders that are asked for news: those that were named, and those of named files.
        below: the named ones, of which every document counts at any depth.
        files: the named files, which count whatever they are called.
    """

    folders: tuple[str, ...]
    below: tuple[str, ...]
    files: frozenset[str]

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Watched:
        """What the paths of a command line mean.

        Raises:
            UsageError: standard input is among them.
        """
        named = [str(path) for path in paths]
        if STDIN in named:
            raise UsageError("standard input cannot be watched", help="name files and folders")
        below = tuple(dict.fromkeys(os.path.realpath(name) for name in named if os.path.isdir(name)))
        files = frozenset(os.path.realpath(name) for name in named if not os.path.isdir(name))
        return cls(tuple(dict.fromkeys((*below, *sorted(map(os.path.dirname, files))))), below, files)

    def counts(self, path: str) -> bool:
        """Whether news of a file is a reason to lint again; the project file is one where it lies in a folder."""
        if path in self.files or os.path.basename(path) in (OWN_FILE, PROJECT_FILE):
            return True
        if not any(path.startswith(folder + os.sep) for folder in self.below):
            return False
        return path.endswith(SUFFIX) or os.path.isdir(path)  # a new folder may hold files before it is watched itself


def watch(watched: Watched, lint: Callable[[], object], output: Output) -> NoReturn:
    """Lints, and again after every change. Only an interrupt ends it.

    A mistake that is made meanwhile, such as a broken project file, is shown and mended by the next change; the first
    run raises it.

    Raises:
        MissingExtraError: the library that watches is not installed.
    """
    news = _news(watched)
    next(news)  # from here on no change is missed, also while lint runs
    _clear()
    lint()
    while True:
        output.note(f"watching {plural(len(watched.folders), 'folder')}; Ctrl-C ends")
        changed = next(names for names in news if names)
        _clear()
        output.note(f"{_listed(changed)} changed")
        try:
            lint()
        except AgenticDSLError as exc:
            sys.stderr.write(
                f"error: {printable(exc.message)}\n" + (f"help: {printable(exc.help)}\n" if exc.help else "")
            )
        sys.stdout.flush()


def _news(watched: Watched) -> Iterator[Sequence[str]]:
    """The files that changed, each time that some did, and none where nothing did for a while."""
    try:
        from watchfiles import watch as changes_of
    except ImportError as exc:
        raise MissingExtraError.of("watchfiles", "watch") from exc
    found = changes_of(
        *watched.folders,
        watch_filter=lambda _change, path: watched.counts(path),
        debounce=_DEBOUNCE_MS,
        recursive=bool(watched.below),
        rust_timeout=_PATIENCE_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    return (sorted(path for _, path in changes) for changes in found)


def _listed(paths: Sequence[str]) -> str:
    """One file by its name, several by their number."""
    return printable(os.path.relpath(paths[0])) if len(paths) == 1 else plural(len(paths), "file")


def _clear() -> None:
    if is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb":
        sys.stdout.write(CLEAR)
        sys.stdout.flush()
