"""A reader of llama.cpp's GBNF, written from its description and not from our emitter: text → the IR."""

from __future__ import annotations

import re

from agentic_dsl.compiler.grammar.ir import Alt, CharClass, Expr, Grammar, Literal, Ref, Repeat, Seq

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{\d+(?:,\d*)?\}|[?*+()|]|[A-Za-z0-9-]+)', re.S)
_CHAR = re.compile(r'\\x([0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})|\\([nrt"\\\[\]])|([^\\])', re.S)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t"}


def read_gbnf(text: str) -> Grammar:
    """The grammar; raises ValueError where the text is not GBNF."""
    rules: list[tuple[str, Expr]] = []
    for line in text.splitlines():
        name, _, body = line.partition(" ::= ")
        if not re.fullmatch(r"[A-Za-z0-9-]+", name):
            raise ValueError(f"not a rule name: {name!r}")
        reader = _Reader(_tokens(body))
        rules.append((name, reader.alternatives()))
        if reader.waiting:
            raise ValueError(f"more than a rule: {reader.waiting[0]!r}")
    return Grammar(tuple(rules), "root")


def _tokens(body: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(body.rstrip()):
        match = _TOKEN.match(body, at)
        if match is None:
            raise ValueError(f"not GBNF: {body[at : at + 20]!r}")
        found.append(match[1])
        at = match.end()
    return found


class _Reader:
    def __init__(self, waiting: list[str]) -> None:
        self.waiting = waiting

    def alternatives(self) -> Expr:
        options = [self.sequence()]
        while self.waiting and self.waiting[0] == "|":
            self.waiting.pop(0)
            options.append(self.sequence())
        return Alt(tuple(options)) if len(options) > 1 else options[0]

    def sequence(self) -> Expr:
        items: list[Expr] = []
        while self.waiting and self.waiting[0] not in "|)":
            items.append(self.repeated())
        return Seq(tuple(items))

    def repeated(self) -> Expr:
        item = self.atom()
        while self.waiting and self.waiting[0][0] in "?*+{":
            # A count after a literal is that of its last character.
            if isinstance(item, Literal) and len(item.text) > 1:
                raise ValueError(f"a count after {item.text!r}")
            item = Repeat(item, *_bounds(self.waiting.pop(0)))
        return item

    def atom(self) -> Expr:
        token = self.waiting.pop(0)
        if token == "(":
            inner = self.alternatives()
            if self.waiting.pop(0) != ")":
                raise ValueError("an open parenthesis")
            return inner
        if token[0] == '"':
            return Literal("".join(_chars(token[1:-1])))
        if token[0] == "[":
            return _char_class(token[1:-1])
        return Ref(token)


def _bounds(token: str) -> tuple[int, int | None]:
    if token in ("?", "*", "+"):
        return {"?": (0, 1), "*": (0, None), "+": (1, None)}[token]
    least, comma, most = token[1:-1].partition(",")
    return int(least), int(most) if most else None if comma else int(least)


def _char_class(body: str) -> CharClass:
    negated = body.startswith("^")
    ranges: list[tuple[str, str]] = []
    rest = body[negated:]
    while rest:
        low, rest = _char(rest)
        high = low
        if rest.startswith("-") and len(rest) > 1:
            high, rest = _char(rest[1:])
        ranges.append((low, high))
    return CharClass(tuple(ranges), negated)


def _chars(body: str) -> list[str]:
    found: list[str] = []
    while body:
        char, body = _char(body)
        found.append(char)
    return found


def _char(text: str) -> tuple[str, str]:
    match = _CHAR.match(text)
    if match is None:
        raise ValueError(f"not an escape: {text[:6]!r}")
    x, u, long, short, raw = match.groups()
    code = x or u or long
    char = chr(int(code, 16)) if code else _PLAIN.get(short, short) if short else raw
    return char, text[match.end() :]
