"""Signatures in one line, by ``signature.lark``: ``(a: number, mode?: strict|warn) -> {sum: number}``."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from lark.exceptions import UnexpectedInput

from agentic_dsl.compiler.parse.lark_parser import END, built, either, expectation
from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.compiler.parse.signature_tree import BUILD, Choice, WrittenParameter, WrittenSignature
from agentic_dsl.signature import ANY, TYPE_ALIASES, TYPE_NAMES, Data, FieldType, Parameter, Signature
from agentic_dsl.span import Span

_CACHED = 1024
MAX_DEPTH = 100
"""How deep types and defaults may nest."""

_TYPES = {name: FieldType(name) for name in TYPE_NAMES} | {
    alias: FieldType(name) for alias, name in TYPE_ALIASES.items()
}
_NUMBERS = ("number", "integer")

_WORDS = {
    "NAME": "a name",
    "WORD": "a type",
    "STRING": "a string",
    "NUMBER": "a number",
    "ARROW": '"->"',
    "OPEN": '"("',
    "CLOSE": '")"',
    "RIGHT": '"]"',
    "LEFT_BRACE": '"{"',
    "RIGHT_BRACE": '"}"',
    "LESS": '"<"',
    "GREATER": '">"',
    "COMMA": '","',
    "COLON": '":"',
    "EQUAL": '"="',
    END: "the end",
}


_REMEDIES = {
    "[": 'write a list of strings as "array<string>"',
    "<": 'name the output, as in "-> {result: array<string>}"',
}
"""What stands in the way → what its author most likely wants."""


@dataclass(frozen=True, slots=True)
class UnknownType(Problem):
    """A type that the language lacks: the signature is understood but for that."""


class _Reading:
    """What a written signature means, and all that is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def signature(self, written: WrittenSignature, length: int) -> Signature:
        inputs = tuple(self._parameter(parameter) for parameter in written.inputs)
        if written.bare and len(written.outputs) == 1 and self._is_unnamed(written.outputs[0]):
            return Signature(inputs, (), Span(0, length))
        for output in written.outputs:
            if output.default is not None:
                self.problems.append(
                    Problem(
                        f'the output "{output.name}" has a default',
                        "drop it, only inputs have defaults",
                        output.default.span,
                    )
                )
        outputs = tuple(self._parameter(output._replace(default=None)) for output in written.outputs)
        return Signature(inputs, outputs, Span(0, length))

    def _is_unnamed(self, output: WrittenParameter) -> bool:
        """Whether what stands for an output is a type: ``-> string``."""
        if output.choices or output.name not in _TYPES:
            return False
        message = f'"{output.name}" is a type, and the output has no name'
        self.problems.append(Problem(message, f'name the output, as in "-> {{result: {output.name}}}"', output.span))
        return True

    def _parameter(self, written: WrittenParameter) -> Parameter:
        type_, enum = self._type(written.choices)
        default = written.default.value if written.default else None
        if written.default and default is not None and not self._fits(default, type_, enum):
            wanted = either([str(value) for value in enum]) if enum else f"of type {type_}"
            self.problems.append(
                Problem(
                    f'the default of "{written.name}" is not {wanted}',
                    "change the default or the type",
                    written.default.span,
                )
            )
        return Parameter(
            str(written.name),
            type_,
            required=not written.optional and written.default is None,
            default=default,
            enum=enum,
            span=written.span,
        )

    def _type(self, choices: tuple[Choice, ...]) -> tuple[FieldType, tuple[Data, ...]]:
        """The type and the only values allowed, if there are any."""
        if not choices:
            return ANY, ()
        if len(choices) == 1 and choices[0].is_word:
            return self.plain(choices[0]), ()
        if all(_is_type(choice) for choice in choices):
            return ANY, ()  # string|null and the like: the language has no unions of types
        if any(choice.item for choice in choices):
            return self._mixed(choices), ()
        if [choice.name for choice in choices if choice.is_word] in (["true", "false"], ["false", "true"]):
            return _TYPES["boolean"], ()
        values = tuple(choice.value for choice in choices)
        if all(isinstance(value, str) for value in values):
            return _TYPES["string"], values
        if all(isinstance(value, int) for value in values):
            return _TYPES["integer"], values
        return (ANY if any(isinstance(value, str) for value in values) else _TYPES["number"]), values

    def _mixed(self, choices: tuple[Choice, ...]) -> FieldType:
        """A union with an ``array<…>`` in it: then all of it must be types."""
        for choice in choices:
            if choice.is_word:
                self.plain(choice)
            else:
                self.problems.append(
                    Problem("a union mixes types and values", "list either types or values", choice.span)
                )
        return ANY

    def plain(self, choice: Choice) -> FieldType:
        """The type that a choice names; `ANY` and a problem where there is no such type."""
        found = _TYPES.get(choice.name)
        if found is None:
            close = get_close_matches(choice.name.lower(), _TYPES, 1)
            known = f'write "{close[0]}"' if close else f"use one of {', '.join(TYPE_NAMES)}"
            self.problems.append(UnknownType(f"there is no type {quoted(choice.name)}", known, choice.span))
            return ANY
        if choice.item is None:
            return found
        if found.name != "array":
            self.problems.append(
                Problem(f'"{choice.name}" takes no type in "<…>"', f'write "{choice.name}"', choice.span)
            )
            return found
        return FieldType("array", self.plain(choice.item))

    @staticmethod
    def _fits(value: Data, type_: FieldType, enum: tuple[Data, ...]) -> bool:
        if enum:
            return value in enum
        match value:
            case bool():
                return type_.name in ("boolean", "any")
            case int():
                return type_.name in (*_NUMBERS, "any")
            case float():
                return type_.name in ("number", "any")
            case str():
                return type_.name in ("string", "any")
            case tuple():
                item = type_.item or ANY
                return type_.name in ("array", "any") and all(_Reading._fits(one, item, ()) for one in value)
            case _:
                return type_.name in ("object", "any")


def _is_type(choice: Choice) -> bool:
    return choice.is_word and (choice.name in _TYPES or choice.name == "null")


def parse_signature(text: str) -> Signature | Problem:
    """A signature, or the first thing that is wrong with it; `read_signature` gives all.

    Args:
        text: the decoded string; spans are offsets into it.
    """
    signature, problems = read_signature(text)
    return problems[0] if problems or signature is None else signature


@remembered(_CACHED)
def read_signature(text: str) -> tuple[Signature | None, tuple[Problem, ...]]:
    """A signature and everything that is wrong with it.

    Where a type is unknown (`UnknownType`), a default does not fit or an output has no name, there are both a
    signature, with ``any`` for the type and without the output, and problems. None where the text has not the shape of
    a signature.
    """
    if (deep := _too_deep(text)) is not None:
        return None, (deep,)
    try:
        written: WrittenSignature = built("signature", text, BUILD)
    except UnexpectedInput as error:
        return None, (_problem(error, text),)
    reading = _Reading()
    signature = reading.signature(written, len(text))
    return signature, tuple(sorted(reading.problems, key=lambda problem: problem.span.start))


@remembered(_CACHED)
def parse_type(text: str) -> FieldType | None:
    """A type by one of its names (``integer``, ``int``, ``array<string>``), None where there is no such type."""
    if (found := _TYPES.get(text)) is not None:
        return found
    if _too_deep(text) is not None:
        return None
    try:
        choice: Choice = built("signature", text, BUILD, start="plain")
    except UnexpectedInput:
        return None
    reading = _Reading()
    found = reading.plain(choice)
    return None if reading.problems else found


def _too_deep(text: str) -> Problem | None:
    """A problem where brackets nest deeper than `MAX_DEPTH`; brackets inside strings count, which nobody writes."""
    depth = 0
    for at, char in enumerate(text):
        if char in "<[{(":
            depth += 1
            if depth > MAX_DEPTH:
                return Problem(f"the signature nests deeper than {MAX_DEPTH} levels", "flatten it", Span(at, at + 1))
        elif char in ">]})":
            depth = max(depth - 1, 0)  # the ">" of "->" closes nothing
    return None


def _problem(error: UnexpectedInput, text: str) -> Problem:
    """What a person needs to know of a signature that cannot be read."""
    offset, expected = expectation(error, _WORDS, length=len(text))
    if not text.strip():
        return Problem("the signature is empty", 'write it as "(a: number) -> {sum: number}"', Span(0, len(text)))
    if offset >= len(text.rstrip()):
        end = len(text.rstrip())
        return Problem(
            f"the signature ends where {expected or 'more'} is expected",
            f"write {expected or 'the rest'} here",
            Span(end, end),
        )
    found = _word_at(text, offset)
    span = Span(offset, offset + len(found))
    if offset == len(text) - len(text.lstrip()) and found.isidentifier():
        called = text[span.end :].lstrip().startswith("(")
        return Problem(
            f"the signature begins with {quoted(found)}",
            'leave the name out, begin with "("' if called else 'put the inputs in parentheses, as in "(a: number)"',
            span,
        )
    if "-" in found.strip("-") and found.replace("-", "_").isidentifier():
        return Problem(
            f"{quoted(found)} is no name that a template can read", f'write "{found.replace("-", "_")}"', span
        )
    if not expected:
        return Problem(f"{quoted(found)} means nothing in a signature", "remove it", span)
    return Problem(
        f"{quoted(found)} stands where {expected} is expected", _REMEDIES.get(found, f"write {expected} here"), span
    )


def _word_at(text: str, offset: int) -> str:
    if text.startswith(("->", "=>"), offset):
        return text[offset : offset + 2]
    end = offset
    while end < len(text) and (text[end].isalnum() or text[end] in "_-"):
        end += 1
    return text[offset : max(end, offset + 1)]
