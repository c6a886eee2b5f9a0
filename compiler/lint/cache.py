"""Results on disk: a set of files that has not changed is not looked at again.

One file holds the results of one set of documents. Its name is the digest of everything that they depend on: the
toolkit itself, the mode, and the name and content of every document and library file. Entries are written atomically,
a damaged one is a miss, and the oldest go when there are many.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import agentic_dsl
from agentic_dsl.codes import ALL_CODES
from agentic_dsl.compiler.library_names import BUILTIN_FOLDER
from agentic_dsl.compiler.lint.finding import Finding, Linted
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.suppressions import Suppression, Suppressions
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.span import Source, Span

FORMAT = 1
"""Raised when entries look different."""

MOST = 32
"""Entries that are kept."""

_KINDS = {code.code: code for code in ALL_CODES}


def set_digest(files: Mapping[str, bytes], libraries: Iterable[str], mode: str) -> str:
    """The name of the entry for a set of files.

    Args:
        files: name → content, libraries included.
        libraries: the names of those that are no subject themselves.
        mode: of the checks.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, toolkit_digest(), mode, sorted(libraries)]).encode())
    for name in sorted(files):
        digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        digest.update(hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def toolkit_digest() -> str:
    """What changes whenever the toolkit may judge differently: the size and time of each of its files."""
    root = Path(agentic_dsl.__file__).parent
    digest = hashlib.sha256(sys.version.encode())
    for folder in (root, root / "compiler", root / "grammars", BUILTIN_FOLDER):
        for where, below, names in os.walk(folder, followlinks=True):
            below[:] = [] if folder == root else sorted(name for name in below if name != "__pycache__")
            for name in sorted(names):
                if name.endswith((".py", ".lark", ".md")):
                    status = os.stat(os.path.join(where, name))
                    digest.update(f"{where}/{name}:{status.st_size}:{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def load(folder: Path, digest: str, sources: Mapping[str, Source]) -> dict[str, Linted] | None:
    """The results of a set of files, None where there are none."""
    file = folder / f"{digest}.json"
    try:
        records = json.loads(file.read_bytes())
        found = {name: _unpacked(records[name], source) for name, source in sources.items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return found


def store(folder: Path, digest: str, results: Mapping[str, Linted]) -> None:
    """Keeps results; a folder that cannot be written is no reason to fail."""
    data = json.dumps({name: _packed(linted) for name, linted in results.items()})
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".new.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(data)
            os.replace(name, folder / f"{digest}.json")
        except BaseException:
            os.unlink(name)
            raise
        _forget(folder)


def _forget(folder: Path) -> None:
    entries = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in entries[MOST:]:
        file.unlink(missing_ok=True)


def _packed(linted: Linted) -> dict[str, Any]:
    return {
        "findings": [
            (d.code, d.span.start, d.span.end, d.message, d.help, d.severity.value, _packed_fix(f.fix))
            for f in linted.findings
            for d in (f.diagnostic,)
        ],
        "suppressions": [
            (s.prefix, s.alone, *(n for span in (s.word, s.comment, s.covers) for n in (span.start, span.end)))
            for s in linted.suppressions.found
        ],
    }


def _packed_fix(fix: Fix | None) -> Any:
    if fix is None:
        return None
    return (fix.message, fix.safe, [(edit.span.start, edit.span.end, edit.text) for edit in fix.edits])


def _unpacked(record: Any, source: Source) -> Linted:
    findings = tuple(
        Finding(
            Diagnostic(_KINDS[code], Span(start, end), message, help_, Severity(severity)),
            None if fix is None else Fix(fix[0], tuple(Edit(Span(a, b), text) for a, b, text in fix[2]), fix[1]),
        )
        for code, start, end, message, help_, severity, fix in record["findings"]
    )
    suppressions = tuple(
        Suppression(prefix, Span(*places[:2]), Span(*places[2:4]), alone, Span(*places[4:6]))
        for prefix, alone, *places in record["suppressions"]
    )
    return Linted(source, findings, Suppressions(suppressions))
