"""Inja templates as a tree, and the names that one reads.

The tree is built by `agentic_dsl.compiler.parse.template`. Spans are offsets into the template's own text; whoever
holds the text knows where it stands in a document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from agentic_dsl.span import NOWHERE, Span

ALWAYS_THERE = frozenset({"now"})
"""Context names that the runtime provides."""

GUARDS = frozenset({"default", "exists"})
"""Functions whose first argument may be absent."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A string, number, boolean or null."""

    value: str | int | float | bool | None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: a local (loop variable, ``set``), an input or a context key."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Context:
    """``$``, the context itself."""

    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """``base.name``."""

    base: Expression
    name: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Item:
    """``base[index]``."""

    base: Expression
    index: Expression
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """``function(a, b)``; a filter ``a | function(b)`` is the same call with ``piped``."""

    function: str
    arguments: tuple[Expression, ...]
    piped: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """``not x`` or ``-x``."""

    operator: str
    operand: Expression
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic, a comparison, ``in``, ``and``, ``or``."""

    left: Expression
    operator: str
    right: Expression
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    """``[a, b]``."""

    items: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """``{"a": b}``."""

    items: tuple[tuple[str, Expression], ...]
    span: Span = field(default=NOWHERE, compare=False)


Expression = Constant | Name | Context | Member | Item | Call | Unary | Binary | ListOf | ObjectOf


@dataclass(frozen=True, slots=True)
class Literal:
    """Text outside of any template construct, or inside ``{# … #}`` when ``comment``."""

    text: str
    comment: bool = False
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Output:
    """``{{ expression }}``."""

    expression: Expression
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """``{% if %} … {% else if %} … {% else %} … {% endif %}``."""

    arms: tuple[tuple[Expression, tuple[Part, ...]], ...]
    otherwise: tuple[Part, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class For:
    """``{% for x in xs %} … {% endfor %}``, or ``for key, value in object``."""

    names: tuple[str, ...]
    iterable: Expression
    body: tuple[Part, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Set:
    """``{% set name = expression %}``."""

    name: str
    expression: Expression
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """``include``, ``extends`` and whatever else reaches outside the context."""

    construct: str
    span: Span = field(default=NOWHERE, compare=False)


Part = Literal | Output | If | For | Set | Forbidden


@dataclass(frozen=True, slots=True)
class Template:
    """A string that holds at least one template construct."""

    parts: tuple[Part, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the string is exactly one ``{{ … }}``, so that a value of any type can stand there."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Output)


@dataclass(frozen=True, slots=True)
class Read:
    """One read of the context.

    Attributes:
        name: the context key; ``inputs.x`` reads ``x``.
        fields: what is read below it, as far as that is known without running: member names and constant indexes.
        guarded: whether the template is fine when the key is absent (inside ``default`` or ``exists``).
        span: where the expression stands in the template's text.
    """

    name: str
    fields: tuple[str | int, ...]
    guarded: bool
    span: Span = field(default=NOWHERE, compare=False)


def reads(template: Template) -> Iterator[Read]:
    """Every read of the context in a template, in source order. Locals (``for``, ``set``, ``loop``) are no reads."""
    yield from _reads_of_parts(template.parts, frozenset())


def _reads_of_parts(parts: tuple[Part, ...], local: frozenset[str]) -> Iterator[Read]:
    for part in parts:
        match part:
            case Literal() | Forbidden():
                pass
            case Output(expression):
                yield from expression_reads(expression, local)
            case Set(name, expression):
                yield from expression_reads(expression, local)
                local = local | {name}
            case If(arms, otherwise):
                for condition, body in arms:
                    yield from expression_reads(condition, local)
                    yield from _reads_of_parts(body, local)
                yield from _reads_of_parts(otherwise, local)
            case For(names, iterable, body):
                yield from expression_reads(iterable, local)
                yield from _reads_of_parts(body, local | {*names, "loop"})
            case _:
                assert_never(part)


def expression_reads(
    expression: Expression, local: frozenset[str] = frozenset(), *, guarded: bool = False
) -> Iterator[Read]:
    """Every read of the context in one expression."""
    match expression:
        case Constant():
            return
        case Name() | Context() | Member() | Item():
            yield from _chain_reads(expression, local, guarded)
        case Call(function, arguments):
            for position, argument in enumerate(arguments):
                may_be_absent = guarded or (position == 0 and function in GUARDS)
                if position == 0 and function == "exists" and isinstance(argument, Constant):
                    continue  # exists("name") takes the name as a string
                yield from expression_reads(argument, local, guarded=may_be_absent)
        case Unary(_, operand):
            yield from expression_reads(operand, local, guarded=guarded)
        case Binary(left, _, right):
            yield from expression_reads(left, local, guarded=guarded)
            yield from expression_reads(right, local, guarded=guarded)
        case ListOf(items):
            for item in items:
                yield from expression_reads(item, local, guarded=guarded)
        case ObjectOf(pairs):
            for _, value in pairs:
                yield from expression_reads(value, local, guarded=guarded)
        case _:
            assert_never(expression)


def _chain_reads(expression: Name | Context | Member | Item, local: frozenset[str], guarded: bool) -> Iterator[Read]:
    """The read of a chain ``root.a[0].b``, and the reads inside its computed indexes."""
    steps: list[str | int | None] = []
    base: Expression = expression
    while isinstance(base, Member | Item):
        if isinstance(base, Member):
            steps.append(base.name)
        elif isinstance(base.index, Constant) and isinstance(base.index.value, str | int):
            steps.append(base.index.value)
        else:
            steps.append(None)
            yield from expression_reads(base.index, local)
        base = base.base
    steps.reverse()
    match base:
        case Name(name) if name in local:
            return
        case Name("inputs") if steps:
            names = steps
        case Name(name):
            names = [name, *steps]
        case Context():
            names = steps[1:] if steps[:1] == ["inputs"] and len(steps) > 1 else steps
        case _:
            yield from expression_reads(base, local, guarded=guarded)
            return
    if names and isinstance(names[0], str) and names[0] not in ALWAYS_THERE:
        known: list[str | int] = []
        for step in names[1:]:
            if step is None:
                break
            known.append(step)
        yield Read(names[0], tuple(known), guarded, expression.span)
