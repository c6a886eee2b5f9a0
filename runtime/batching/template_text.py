"""Templates filled in: a template and the values of a context become the text that a runtime would send.

The executor does this for every node; here it is for prompts that are needed before a run, such as those of branches
that are generated together. Values print as Inja prints them: texts as they are, null as nothing, the rest as JSON.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.template import parse_template
from agentic_dsl.errors import UsageError
from agentic_dsl.signature import Data
from agentic_dsl.template import (
    GUARDS,
    Binary,
    Call,
    Constant,
    Context,
    Expression,
    For,
    Forbidden,
    If,
    Item,
    ListOf,
    Literal,
    Member,
    Name,
    ObjectOf,
    Output,
    Part,
    Set,
    Unary,
)

MAX_CHARACTERS = 1 << 20
"""The longest text that comes of a template, and the longest text inside of one."""

MAX_STEPS = 100_000
"""Parts and expressions that are read for one text, those of a loop every time."""

_MAX_NUMBER = 1 << 63

_INPUTS = "inputs"
"""Another name of the context, where it has no such key."""


class _Missing(Exception):
    """A value that is not there; `default` and `exists` know what to do then."""


def fill_in(text: str, context: Mapping[str, Data]) -> str:
    """A string of a node with its templates filled in.

    Args:
        text: with or without templates.
        context: the values, by context key.

    Raises:
        UsageError: the template cannot be read, wants what the context does not hold, or grows beyond the bounds.
    """
    template = parse_template(text)
    if template is None:
        return text
    if isinstance(template, Problem):
        raise UsageError(f"a template cannot be read: {template.message}", help=template.help)
    filling = _Filling(context)
    try:
        filling.parts(template.parts, {})
    except _Missing as exc:
        raise UsageError(f'the context has no value for "{exc}"', help="give it among the context's values") from None
    # Python's words for a value of the wrong type, a division by zero and the like; all are the template's fault.
    except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as exc:
        raise UsageError(f"a template cannot be filled in: {exc}", help="look at its values' types") from exc
    return "".join(filling.written)


class _Filling:
    """One text on its way."""

    def __init__(self, context: Mapping[str, Data]) -> None:
        self.written: list[str] = []
        self._context = context
        self._length = 0
        self._steps = 0

    def parts(self, parts: Sequence[Part], local: dict[str, Data]) -> None:
        """Writes some parts; ``local`` are the names that the template has set."""
        for part in parts:
            self._count()
            match part:
                case Literal(text, comment):
                    self._write("" if comment else text)
                case Output(expression):
                    self._write(_printed(self.value(expression, local)))
                case Set(name, expression):
                    local[name] = self.value(expression, local)
                case If(arms, otherwise):
                    taken = (body for condition, body in arms if _true(self.value(condition, local)))
                    self.parts(next(taken, otherwise), local)
                case For():
                    self._loop(part, local)
                case Forbidden(construct):
                    raise ValueError(f"{construct} is forbidden")
                case _:
                    assert_never(part)

    def _loop(self, part: For, local: Mapping[str, Data]) -> None:
        held = self.value(part.iterable, local)
        rows: Sequence[tuple[Data, ...]]
        if isinstance(held, Mapping):
            rows = list(held.items()) if len(part.names) == 2 else [(key,) for key in held]
        else:
            rows = [(item,) for item in _sequence(held)]
        last = len(rows) - 1
        for at, row in enumerate(rows):
            loop: Data = {"index": at, "index1": at + 1, "is_first": at == 0, "is_last": at == last}
            self.parts(part.body, {**local, "loop": loop, **dict(zip(part.names, row, strict=True))})

    def value(self, expression: Expression, local: Mapping[str, Data]) -> Data:
        """What an expression stands for."""
        self._count()
        match expression:
            case Constant(value):
                return value
            case Context():
                return self._context
            case Name(name):
                return self._named(name, local)
            case Member(base, name):
                return self._member(base, name, local)
            case Item(base, index):
                return _item(self.value(base, local), self.value(index, local))
            case Call(function, arguments):
                return self._call(function, arguments, local)
            case Unary(sign, operand):
                held = self.value(operand, local)
                return not _true(held) if sign in ("not", "!") else _bounded(-_number(held) if sign == "-" else held)
            case Binary(left, "and" | "&&", right):
                return _true(self.value(left, local)) and _true(self.value(right, local))
            case Binary(left, "or" | "||", right):
                return _true(self.value(left, local)) or _true(self.value(right, local))
            case Binary(left, sign, right):
                return _bounded(_BINARY[sign](self.value(left, local), self.value(right, local)))
            case ListOf(items):
                return tuple(self.value(item, local) for item in items)
            case ObjectOf(pairs):
                return {key: self.value(item, local) for key, item in pairs}
            case _:
                assert_never(expression)

    def _named(self, name: str, local: Mapping[str, Data]) -> Data:
        if name in local:
            return local[name]
        if name in self._context:
            return self._context[name]
        if name == _INPUTS:
            return self._context
        raise _Missing(name)

    def _member(self, base: Expression, name: str, local: Mapping[str, Data]) -> Data:
        held = self.value(base, local)
        if isinstance(base, Context) and name == _INPUTS and name not in self._context:
            return self._context
        return _item(held, name)

    def _call(self, function: str, arguments: Sequence[Expression], local: Mapping[str, Data]) -> Data:
        if function in GUARDS and arguments:
            first = arguments[0]
            try:
                if function == "exists" and isinstance(first, Constant) and isinstance(first.value, str):
                    self._named(first.value, local)
                    return True
                held = self.value(first, local)
            except _Missing:
                return False if function == "exists" else self.value(arguments[1], local)
            return True if function == "exists" else held
        if function not in _FUNCTIONS:
            raise ValueError(f'there is no function "{function}"')
        return _bounded(_FUNCTIONS[function](*(self.value(argument, local) for argument in arguments)))

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_CHARACTERS:
            raise ValueError(f"its text grows beyond {MAX_CHARACTERS:,} characters")
        self.written.append(text)

    def _count(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise ValueError(f"it takes more than {MAX_STEPS:,} steps")


def _printed(value: Data) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)


def _item(held: Data, key: Data) -> Data:
    """An entry of an object, by name, or of an array, by number."""
    if isinstance(held, Mapping) and isinstance(key, str | int):
        if str(key) in held:
            return held[str(key)]
    elif isinstance(held, Sequence) and not isinstance(held, str) and isinstance(key, int) and 0 <= key < len(held):
        return held[key]
    raise _Missing(str(key))


def _true(value: Data) -> bool:
    return bool(value)


def _sequence(value: Data) -> Sequence[Data]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"{_printed(value)[:40]!r} is no array")
    return value


def _number(value: Data) -> int | float:
    if not isinstance(value, int | float):
        raise TypeError(f"{_printed(value)[:40]!r} is no number")
    return value


def _bounded(value: Data) -> Data:
    """A value that was computed: neither numbers nor texts grow without end."""
    if isinstance(value, int) and abs(value) >= _MAX_NUMBER:
        raise ValueError("a number grows beyond 64 bits")
    if isinstance(value, str | Sequence) and len(value) > MAX_CHARACTERS:
        raise ValueError(f"a value grows beyond {MAX_CHARACTERS:,} characters or items")
    return value


def _plus(left: Data, right: Data) -> Data:
    return left + right if isinstance(left, str) and isinstance(right, str) else _number(left) + _number(right)


def _in(left: Data, right: Data) -> bool:
    return left in right if isinstance(right, str) and isinstance(left, str) else left in _sequence(right)


@dataclass(frozen=True, slots=True)
class _OfNumbers:
    """An operation on two numbers."""

    compute: Callable[[int | float, int | float], int | float]

    def __call__(self, left: Data, right: Data) -> Data:
        return self.compute(_number(left), _number(right))


@dataclass(frozen=True, slots=True)
class _OfOrder:
    """A comparison of two numbers or two texts."""

    compare: Callable[[Any, Any], Any]

    def __call__(self, left: Data, right: Data) -> Data:
        if isinstance(left, str) and isinstance(right, str):
            return bool(self.compare(left, right))
        return bool(self.compare(_number(left), _number(right)))


_BINARY: Mapping[str, Callable[[Data, Data], Data]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": _OfOrder(operator.lt),
    "<=": _OfOrder(operator.le),
    ">": _OfOrder(operator.gt),
    ">=": _OfOrder(operator.ge),
    "+": _plus,
    "-": _OfNumbers(operator.sub),
    "*": _OfNumbers(operator.mul),
    "/": _OfNumbers(operator.truediv),
    "%": _OfNumbers(operator.mod),
    "^": _OfNumbers(lambda base, exponent: float(base) ** exponent),
    "in": _in,
    "not in": lambda left, right: not _in(left, right),
}


def _length(value: Data) -> Data:
    return len(value) if isinstance(value, str | Mapping) else len(_sequence(value))


def _join(items: Data, between: Data = ", ") -> Data:
    texts = [_printed(item) for item in _sequence(items)]
    if sum(map(len, texts)) + len(texts) * len(str(between)) > MAX_CHARACTERS:
        raise ValueError(f"a text grows beyond {MAX_CHARACTERS:,} characters")
    return str(between).join(texts)


def _range(count: Data) -> Data:
    if not 0 <= _number(count) <= MAX_STEPS:
        raise ValueError(f"a range has 0 to {MAX_STEPS:,} numbers")
    return tuple(range(int(_number(count))))


_FUNCTIONS: Mapping[str, Callable[..., Data]] = {
    "length": _length,
    "upper": lambda text: str.upper(text),
    "lower": lambda text: str.lower(text),
    "capitalize": lambda text: str.capitalize(text),
    "trim": lambda text: str.strip(text),
    "first": lambda items: _sequence(items)[0],
    "last": lambda items: _sequence(items)[-1],
    "sort": lambda items: tuple(sorted(_sequence(items))),  # type: ignore[type-var]  # what has no order is a TypeError
    "join": _join,
    "range": _range,
    "at": _item,
    "int": lambda value: int(value),
    "float": lambda value: float(value),
    "round": lambda value, digits=0: round(_number(value), digits),
    "min": lambda items: min(_sequence(items)),  # type: ignore[type-var]
    "max": lambda items: max(_sequence(items)),  # type: ignore[type-var]
}
"""Inja's functions that prompts use."""
