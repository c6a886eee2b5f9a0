"""What is written in a signature line, rule by rule of ``signature.lark``; `signature` says what it means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lark import Token, Transformer, v_args

from agentic_dsl.compiler.parse.string_literal import unescaped
from agentic_dsl.signature import Data
from agentic_dsl.span import Span

_BARE: dict[str, Data] = {"true": True, "false": False, "null": None, "none": None}


class Choice(NamedTuple):
    """One of the words between ``|``: a type, or a value that is allowed."""

    name: str
    value: Data
    span: Span
    item: Choice | None = None
    is_word: bool = True


class Default(NamedTuple):
    """A default value and where it stands."""

    value: Data
    span: Span


class WrittenParameter(NamedTuple):
    """A parameter as written."""

    name: Token
    optional: bool
    choices: tuple[Choice, ...]
    default: Default | None
    span: Span


class WrittenSignature(NamedTuple):
    """A signature as written. ``bare``: its outputs stand without brackets."""

    inputs: tuple[WrittenParameter, ...]
    outputs: tuple[WrittenParameter, ...] = ()
    bare: bool = False


def _span(first: Token, last: Token | None = None) -> Span:
    return Span(first.start_pos or 0, (last or first).end_pos or 0)


@v_args(inline=True)
class _Build(Transformer[Token, object]):
    """Makes what is written of the rules of ``signature.lark``."""

    def start(
        self, inputs: WrittenSignature, _arrow: Token | None = None, outputs: WrittenSignature | None = None
    ) -> WrittenSignature:
        return WrittenSignature(inputs.inputs, outputs.inputs, outputs.bare) if outputs else inputs

    def inputs(self, *parts: Token | tuple[WrittenParameter, ...]) -> WrittenSignature:
        return WrittenSignature(_listed(parts))

    def outputs(self, *parts: Token | tuple[WrittenParameter, ...]) -> WrittenSignature:
        return WrittenSignature(_listed(parts), bare=not isinstance(parts[0], Token))

    def parameters(self, *parts: Token | WrittenParameter) -> tuple[WrittenParameter, ...]:
        return tuple(part for part in parts if isinstance(part, WrittenParameter))

    def parameter(self, name: Token, *parts: Token | Default | tuple[Choice, ...]) -> WrittenParameter:
        optional, default, end = False, None, name.end_pos or 0
        choices: tuple[Choice, ...] = ()
        for part in parts:
            match part:
                case Token(type="OPTIONAL"):
                    optional, end = True, part.end_pos or 0
                case Default():
                    default, end = part, part.span.end
                case Token():
                    pass
                case _:
                    choices, end = part, part[-1].span.end
        return WrittenParameter(name, optional, choices, default, Span(name.start_pos or 0, end))

    def type(self, *parts: Token | Choice | Default) -> tuple[Choice, ...]:
        return tuple(
            Choice("", part.value, part.span, is_word=False) if isinstance(part, Default) else part
            for part in parts
            if not isinstance(part, Token)
        )

    def word(self, word: Token) -> Choice:
        return Choice(str(word), str(word), _span(word))

    def generic(self, word: Token, _less: Token, item: Choice, greater: Token) -> Choice:
        return Choice(str(word), None, _span(word, greater), item)

    def string(self, token: Token) -> Default:
        return Default(unescaped(token), _span(token))

    def number(self, token: Token) -> Default:
        # Python refuses to convert very long digit strings, and floats hold whatever comes.
        whole = token.removeprefix("-").isdigit() and len(token) < 4000
        return Default(int(token) if whole else float(token), _span(token))

    def bare(self, word: Token) -> Default:
        return Default(_BARE.get(word, str(word)), _span(word))

    def list_of(self, opening: Token, *parts: Token | Default) -> Default:
        closing = parts[-1]
        assert isinstance(closing, Token)  # the bracket
        return Default(tuple(p.value for p in parts if isinstance(p, Default)), _span(opening, closing))

    def entry(self, key: Token, _colon: Token, value: Default) -> tuple[str, Data]:
        return (unescaped(key) if key.type == "STRING" else str(key)), value.value

    def object_of(self, opening: Token, *parts: Token | tuple[str, Data]) -> Default:
        closing = parts[-1]
        assert isinstance(closing, Token)  # the brace
        return Default(dict(p for p in parts if not isinstance(p, Token)), _span(opening, closing))


BUILD = _Build()


def _listed(parts: Iterable[Token | tuple[WrittenParameter, ...]]) -> tuple[WrittenParameter, ...]:
    return next((part for part in parts if not isinstance(part, Token)), ())
