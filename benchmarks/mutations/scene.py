"""A clean document, the changes that can be made to its text, and where a finding about them has to stand."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.compiler.lint.rule import Example
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.node_table import Node
from agentic_dsl.span import Span, SpanPath

T = TypeVar("T")

_LINE_END = re.compile(r"\r\n?|\n")

N = TypeVar("N", bound=Node)


class NoPlaceError(Exception):
    """A document has nothing that a mutation could be applied to; another document is tried then."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change that breaks a rule.

    Attributes:
        edits: of the text; none overlaps another.
        at: where a finding may begin, as places of the text before the change; empty: on a line that an edit touched.
        library: the library instead of the document's own.
        constraints: keyword arguments of `Constraints` that replace those of the document.
        options: further arguments of `lint_document`.
    """

    edits: tuple[Edit, ...]
    at: tuple[Span, ...] = ()
    library: tuple[str, ...] | None = None
    constraints: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutated document and the lines on which its finding has to begin.

    Attributes:
        named: whether the mutation named the lines, instead of its edits.
    """

    example: Example
    lines: frozenset[int]
    named: bool


class Scene:
    """One clean document with everything that mutations ask for. Random choices are those of its own generator."""

    def __init__(self, example: Example, rng: random.Random) -> None:
        self.example = example
        self.rng = rng
        self.text = example.document()
        self.document = parse(self.text, path="example.md")
        self.is_application = self.document.meta is not None
        self.is_library = any(b.path.is_library for b in self.blocks)

    @property
    def blocks(self) -> list[Subgraph]:
        """The subgraphs of the document."""
        return list(self.document.subgraphs)

    @property
    def signed(self) -> list[Subgraph | Contract]:
        """The blocks with a signature in one line."""
        blocks = [b for b in self.document.blocks if isinstance(b, Subgraph | Contract) and b.signature is not None]
        return [b for b in blocks if self.written(b.at("signature")).startswith('"')]

    def need(self, condition: object) -> None:
        """Gives up on this document unless something holds."""
        if not condition:
            raise NoPlaceError

    def pick(self, options: Iterable[T]) -> T:
        """One of them by chance."""
        known = list(options)
        self.need(known)
        return self.rng.choice(known)

    def nodes(self, *types: type[N], where: Callable[[N], object] = lambda _: True) -> list[tuple[Subgraph, N]]:
        """The nodes of some types for which something holds, with their blocks."""
        return [
            (block, node)
            for block in self.blocks
            for node in block.nodes
            if isinstance(node, types) and not block.single and where(node)
        ]

    def node(self, *types: type[N], where: Callable[[N], object] = lambda _: True) -> tuple[Subgraph, N]:
        """One of them by chance."""
        return self.pick(self.nodes(*types, where=where))

    def written(self, span: Span) -> str:
        """The text of a place."""
        return self.text[span.start : span.end]

    def value(self, owner: Node | Subgraph, *path: str | int) -> Span:
        """Where a value stands; no ancestor of it will do."""
        span = owner.spans.values.get(path)
        if span is None:
            raise NoPlaceError
        return span

    def line_of(self, at: int) -> int:
        """The offset at which the line of an offset begins."""
        return self.text.rfind("\n", 0, at) + 1

    # --- edits ------------------------------------------------------------------------------------------------------

    def put(self, span: Span, text: str) -> Edit:
        """Writes a text in the place of another."""
        return Edit(span, text)

    def change(self, span: Span, old: str, new: str) -> Edit:
        """Changes one occurrence, by chance, of a text within a place."""
        found, at = [], self.text.find(old, span.start, span.end)
        while at >= 0:
            found.append(at)
            at = self.text.find(old, at + 1, span.end)
        start = self.pick(found)
        return Edit(Span(start, start + len(old)), new)

    def before(self, key: Span, line: str) -> Edit:
        """Writes ``key: value`` before a key of a mapping, on its line in braces and on a line of its own else."""
        start = key.start - 1
        while start >= 0 and self.text[start] in " \t":
            start -= 1
        indent = self.text[self.line_of(key.start) : key.start]
        in_braces = self.text[start] in "{,"
        joint = ", " if in_braces else self.newline + " " * len(indent)
        return Edit(Span(key.start, key.start), line + joint)

    def field(self, node: Node | Subgraph, line: str) -> Edit:
        """Gives a node another field."""
        return self.before(self._key(node, ("type",)), line)

    def block_key(self, block: Subgraph | Contract, line: str) -> Edit:
        """Gives a block another key."""
        name = "graph_type" if isinstance(block, Subgraph) else "signature"
        at = self.text.find(name, block.path_span.end)
        return self.before(Span(at, at), line)

    def without(self, owner: Any, *path: str) -> Edit:
        """Takes a field away, with its line or with the comma behind or before it."""
        key, value = self._key(owner, path), self.value(owner, *path)
        end = value.start + len(self.written(value).rstrip())
        start = key.start
        line = self.line_of(start)
        if not self.text[line:start].strip():
            return Edit(Span(line, self.text.index("\n", end) + 1), "")
        if self.text.startswith(", ", end):
            return Edit(Span(start, end + 2), "")
        self.need(self.text[start - 2 : start] == ", " and self.text[end] == "}")
        return Edit(Span(start - 2, end), "")

    def add_node(self, block: Subgraph, item: str) -> Edit:
        """Writes a node behind the last one of a block."""
        self.need(not block.single and block.nodes)
        first, last = block.nodes[0], block.nodes[-1]
        prefix = self.text[self.line_of(first.span.start) : first.span.start]
        self.need(prefix.strip() == "-")
        end = last.span.start + len(self.written(last.span).rstrip())
        end = self.text.index("\n", end)
        end -= self.text[end - 1] == "\r"
        return Edit(Span(end, end), f"{self.newline}{prefix}{item}")

    def add_text(self, text: str) -> Edit:
        """Writes something behind the end of the document."""
        size = len(self.text)
        return Edit(Span(size, size), self.newline + text.replace("\n", self.newline))

    def add_block(self, path: str, body: str) -> Edit:
        """Writes a block behind the end of the document."""
        return self.add_text(f"### AgenticDSL `{path}`\n```yaml\n{body}\n```\n")

    @property
    def newline(self) -> str:
        """How lines of the document end."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def _key(self, owner: Any, path: SpanPath) -> Span:
        key: Span | None = owner.spans.keys.get(path)
        if key is None:
            raise NoPlaceError
        return key

    def mutant(self, mutation: Mutation) -> Mutant:
        """The document with a change, and the lines that count."""
        edits = sorted(mutation.edits, key=lambda edit: (edit.span.start, edit.span.end))
        parts, at, size, touched = [], 0, 0, []
        for edit in edits:
            parts += [self.text[at : edit.span.start], edit.text]
            size += edit.span.start - at
            # Line ends around what was written belong to the lines beside it.
            lead = len(edit.text) - len(edit.text.lstrip("\r\n"))
            touched.append((size + lead, size + max(len(edit.text.rstrip()) - 1, lead)))
            size += len(edit.text)
            at = edit.span.end
        text = "".join([*parts, self.text[at:]])
        if mutation.at:
            touched = [(_moved(span.start, edits),) * 2 for span in mutation.at]
        lines = {n for a, b in touched for n in range(line_number(text, a), line_number(text, b) + 1)}
        old = self.example
        constraints = old.constraints
        if mutation.constraints:
            constraints = {**(constraints or {}), **mutation.constraints}
        example = replace(
            old,
            text=text,
            library=old.library if mutation.library is None else mutation.library,
            constraints=constraints,
            options={**old.options, **mutation.options},
        )
        return Mutant(example, frozenset(lines), bool(mutation.at))


def line_number(text: str, offset: int) -> int:
    """The 1-based line of an offset, counted here by itself so that the toolkit's own count is judged too."""
    return 1 + len(_LINE_END.findall(text, 0, offset))


def _moved(offset: int, edits: Iterable[Edit]) -> int:
    """Where an offset is after some edits; one inside of a replaced text is where the replacement begins."""
    moved = offset
    for edit in edits:
        if edit.span.end <= offset:
            moved += len(edit.text) - (edit.span.end - edit.span.start)
        elif edit.span.start < offset:
            moved -= offset - edit.span.start
    return moved


Mutate = Callable[[Scene], Mutation]
"""Chooses a place of a document by chance and breaks one rule there; `NoPlaceError` where there is none."""
