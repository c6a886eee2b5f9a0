"""The body of a skill against its rules: how long it is, and whether the resources that it names are there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from agentic_dsl import codes
from agentic_dsl.compiler.parse.problem import quoted
from agentic_dsl.compiler.suggestions import Suggester
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.skills.skill_files import MANIFEST, RESOURCE_FOLDERS
from agentic_dsl.span import Span

MAX_LINES = 500
MAX_TOKENS = 5000
MAX_FINDINGS = 100
"""References that are reported; whoever has more has one mistake many times."""

_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}+|~{3,}+)(?P<rest>[^\n]*+)", re.MULTILINE)
_LINK = re.compile(r"\]\(\s{0,10}<?(?P<target>[^)\s>]{1,300})")
"""The target of a Markdown link; the text before it does not matter, and looking for it would cost."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//|#")
# A path in prose or code; the target of a link is judged as such.
_MENTION = re.compile(
    rf"(?<![\w./\\:@-])(?<!\]\()(?<!\]\(<)(?P<target>(?:\.{{1,2}}/){{0,20}}(?:{'|'.join(RESOURCE_FOLDERS)})/[\w./%+@~-]{{1,300}})"
)
_OPEN_END = "<{*$[…"
"""What follows a path that is a pattern for many: ``assets/<name>.json``, ``references/*.md``."""


class _Named(NamedTuple):
    """A resource that the body names."""

    target: str
    place: Span


def check_body(body: str, offset: int, tokens: int, resources: Collection[str], diagnostics: list[Diagnostic]) -> None:
    """Finds what is wrong with a body.

    Args:
        body: the text behind the front matter.
        offset: where it begins in the source.
        tokens: how many it has.
        resources: the paths of the resources that there are.
        diagnostics: takes the findings.
    """
    whole = Span(offset, offset + max(len(body.splitlines()[0]) if body else 0, 1))
    if not body:
        help = "write what the model is to do, with an example"
        diagnostics.append(codes.EMPTY_BODY.at(Span(offset, offset), "the skill has no body", help=help))
        return
    help = "move details to references/, which are read when they are needed"
    if (lines := body.count("\n") + 1) > MAX_LINES:
        message = f"the body has {lines:,} lines; models are given at most {MAX_LINES}"
        diagnostics.append(codes.LONG_BODY.at(whole, message, help=help))
    if tokens >= MAX_TOKENS:
        message = f"the body has about {tokens:,} tokens; a skill has fewer than {MAX_TOKENS:,}"
        diagnostics.append(codes.LONG_BODY.at(whole, message, help=help))
    suggester = Suggester()
    seen: set[str] = set()
    found: list[Diagnostic] = []
    for named in _named(body):
        if named.target not in seen and len(found) < MAX_FINDINGS:
            seen.add(named.target)
            if (finding := _judged(named, offset, resources, suggester)) is not None:
                found.append(finding)
    diagnostics += found


def place_of(text: str, path: str) -> Span:
    """Where a manifest first speaks of a path; its first line where it does not."""
    at = text.find(path) if path else -1
    return Span(at, at + len(path)) if at >= 0 else Span(0, min(3, len(text)))


def _judged(named: _Named, offset: int, resources: Collection[str], suggester: Suggester) -> Diagnostic | None:
    path = posixpath.normpath(named.target)
    span = named.place.shift(offset)
    if path.startswith(("/", "..")):
        message = f"{quoted(named.target)} leads out of the skill's folder"
        help = "name a file in scripts/, references/ or assets/"
        return codes.RESOURCE_ESCAPE.at(span, message, help=help)
    if path in resources or path in (*RESOURCE_FOLDERS, MANIFEST):
        return None
    help = suggester.help(path, resources, "add the file, or do not name it")
    if path.partition("/")[0] not in RESOURCE_FOLDERS:
        help = "put the file in scripts/, references/ or assets/"
    return codes.MISSING_RESOURCE.at(span, f"the skill has no resource {quoted(path)}", help=help)


def _named(body: str) -> Iterator[_Named]:
    """Every file that the body names: targets of links outside of code, and paths below the resource folders."""
    fences = list(_fences(body))
    next_fence = 0
    for match in _LINK.finditer(body):
        while next_fence < len(fences) and fences[next_fence][1] <= match.start():
            next_fence += 1
        if next_fence < len(fences) and fences[next_fence][0] <= match.start():
            continue  # Markdown within code is an example
        target = match["target"]
        if not _SCHEME.match(target):
            path = unquote(re.split(r"[?#]", target, maxsplit=1)[0], errors="replace")
            if path:
                yield _Named(path, Span(*match.span("target")))
    for match in _MENTION.finditer(body):
        target = match["target"].rstrip(".")
        if target.endswith("/") or body[match.end() : match.end() + 1] in tuple(_OPEN_END):
            continue
        yield _Named(target, Span(match.start(), match.start() + len(target)))


def _fences(body: str) -> Iterator[tuple[int, int]]:
    """Where fenced code begins and ends; what is never closed goes on to the end."""
    start, opened = 0, ""
    for match in _FENCE.finditer(body):
        mark = match["mark"]
        if not opened:
            if "`" not in match["rest"] or mark[0] == "~":  # else it is code within a line
                start, opened = match.start(), mark
        elif mark.startswith(opened) and not match["rest"].strip():
            yield start, match.end()
            opened = ""
    if opened:
        yield start, len(body)
