"""What a server compiles before its first real request: the contracts of library paths and of documents.

To warm a path up is to send each contract that requests for it will carry:

- a path below ``/lib/``: one that *writes* the entry, under its own signature, and one that *calls* the named entries,
  all of them together
- a path below ``/dynamic/``: one that writes there

What writes may call the whole library, as with ``generate --lib``; where a library is given, a contract with its whole
offer is among them in any case. Limits are the default ones: requests with others should be named by a document or a
file of constraints.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentic_dsl.compiler.library import Library, LibraryEntry
from agentic_dsl.compiler.pipeline import CompiledSpec, compile
from agentic_dsl.constraints import Constraints, LibrarySpec
from agentic_dsl.errors import ConstraintError, UsageError
from agentic_dsl.format import format_signature
from agentic_dsl.paths import Path


@dataclass(frozen=True, slots=True)
class WarmUp:
    """One contract to send.

    Attributes:
        label: for people, such as ``calls /lib/human/approval``.
        spec: in the xgrammar dialect.
    """

    label: str
    spec: CompiledSpec


def plan_warm_ups(
    paths: Sequence[str] = (), specs: Sequence[tuple[str, Constraints]] = (), library: Library | None = None
) -> tuple[WarmUp, ...]:
    """The contracts for some paths and documents, each once.

    Args:
        paths: library paths and generation paths.
        specs: constraints of documents, each with a name for people.
        library: what library paths are looked up in.

    Raises:
        UsageError: a path cannot be warmed up.
        ConstraintError: constraints cannot be compiled.
    """
    found: dict[str, WarmUp] = {}
    wanted = [*_of_paths(paths, library), *specs]
    if library is not None and (offered := library.specs()):
        wanted.append(("calls the whole library", Constraints(libraries=offered)))
    for label, constraints in wanted:
        if constraints.digest not in found:
            found[constraints.digest] = WarmUp(label, _compiled(label, constraints))
    return tuple(found.values())


def _of_paths(paths: Sequence[str], library: Library | None) -> Iterator[tuple[str, Constraints]]:
    parsed = [_path(text) for text in dict.fromkeys(paths)]
    entries = [_entry(path, library) for path in parsed if path.is_library]
    named = tuple(_offer(entry) for entry in entries if entry.signature is not None)
    if named:
        yield f"calls {', '.join(spec.path for spec in named)}", Constraints(libraries=named)
    everything = () if library is None else library.specs()
    for path in parsed:
        if not path.is_library:
            yield f"writes {path}", Constraints(path=str(path), libraries=everything)
    for entry in entries:
        signature = None if entry.signature is None else format_signature(entry.signature)
        yield f"writes {entry.path}", Constraints(path=str(entry.path), signature=signature, libraries=everything)


def _path(text: str) -> Path:
    first, *segments = text.split("/")
    try:
        path = Path(tuple(segments))
    except ValueError:
        path = None
    if first or path is None:
        raise UsageError(f'"{text}" is no path', help="name a path such as /lib/human/approval")
    if not (path.is_library or path.under("dynamic")) or len(segments) < 2:
        raise UsageError(f'"{text}" cannot be warmed up', help="name a path below /lib/ or /dynamic/")
    return path


def _entry(path: Path, library: Library | None) -> LibraryEntry:
    if library is None:
        raise UsageError(f'"{path}" cannot be looked up without a library', help="name its folder with --lib")
    if (entry := library.resolve(path)) is not None:
        return entry
    near = difflib.get_close_matches(str(path), [str(known) for known in library.by_path], n=1)
    raise UsageError(
        f'the library has no entry "{path}"',
        help=f"write {near[0]}" if near else "check the path, and the folders given with --lib",
    )


def _offer(entry: LibraryEntry) -> LibrarySpec:
    """The entry as `Library.specs` offers it, alone."""
    return next(spec for spec in Library.of([entry.document]).specs() if spec.path == str(entry.path))


def _compiled(label: str, constraints: Constraints) -> CompiledSpec:
    try:
        return compile(constraints, dialect="xgrammar")
    except ConstraintError as exc:
        raise ConstraintError(f"{label} cannot be warmed up: {exc.message}", help=exc.help) from exc
