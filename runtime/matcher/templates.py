"""Templates: what stands between ``{{`` and ``}}``.

Reads are of names that are there (`Env.roots`); below a name whose value a tool's declared result gives, only of fields
that it has. Inside ``default(x, …)`` the first argument may be anything.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentic_dsl.compiler.grammar.words import TEMPLATE_WORDS
from agentic_dsl.runtime.matcher.context import INPUTS, Env, shortest_with_prefix, with_prefix
from agentic_dsl.runtime.matcher.frames import Choice, Fixed, Frame, Then, Words, either, shared_beginning
from agentic_dsl.runtime.matcher.open_words import NAME
from agentic_dsl.runtime.matcher.texts import OpenTemplate, length_of, more_bytes, rest_of

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

MOST_STEPS = 40
"""The longest chain of steps below a name; readers refuse expressions that nest deeper than 100."""

_NOT_READ = (*TEMPLATE_WORDS, "true", "false", "null")
_ENVIRONMENT = ("env", "environ", "os", "ctx_snapshots")
"""What a guarded read may not begin with: words of the template language, and what readers forbid."""

Schemas = tuple[object, ...]
"""What is known of a value: one schema for each writer, None for one of whose value nothing is known."""

ANYTHING: Schemas = (None,)

_INDEX_END = b"]"
_INDEX_BYTES = frozenset(b"0123456789]")
_NUMBER_BYTES = frozenset(b"-.0123456789")


def operand(doc: Draft, env: Env, end: bytes, then: Then) -> Frame:
    """A read, its ``length(…)`` or ``default(…, …)``, followed by one of the bytes ``end``."""
    return either([Read(doc, env, end, then), *_functions(doc, env, then)])


def _functions(doc: Draft, env: Env, then: Then) -> list[Frame]:
    closed: Then = lambda doc: Fixed(doc, b")", then)  # noqa: E731  # a continuation, as everywhere here
    return [
        Fixed(doc, b"length(", lambda doc: Read(doc, env, b")", closed)),
        Fixed(
            doc,
            b"default(",
            lambda doc: GuardedRead(doc, lambda doc: Fixed(doc, b", ", lambda d: _fallback(d, env, closed))),
        ),
    ]


def _fallback(doc: Draft, env: Env, then: Then) -> Frame:
    return either([*_constants(doc, then), Read(doc, env, b")", then)])


def _constants(doc: Draft, then: Then) -> list[Frame]:
    return [
        TemplateNumber(doc, then),
        Words(doc, (b"false", b"true"), then),
        Fixed(doc, b'\\"', lambda doc: InnerText(doc, then)),
    ]


def template(env: Env) -> OpenTemplate:
    """What follows ``{{``: an operand; see `texts.OpenTemplate`."""

    def opened(doc: Draft, then: Then) -> Frame:
        close: Then = lambda doc: Fixed(doc, b" }}", then)  # noqa: E731
        return Fixed(doc, b" ", lambda doc: operand(doc, env, b" ", close))

    return opened


def read_template(env: Env) -> OpenTemplate:
    """What follows ``{{`` where only a read may stand."""

    def opened(doc: Draft, then: Then) -> Frame:
        close: Then = lambda doc: Fixed(doc, b" }}", then)  # noqa: E731
        return Fixed(doc, b" ", lambda doc: Read(doc, env, b" ", close))

    return opened


def condition(env: Env) -> OpenTemplate:
    """What follows ``{{`` in a condition: an operand, or a comparison."""

    def opened(doc: Draft, then: Then) -> Frame:
        close: Then = lambda doc: Fixed(doc, b" }}", then)  # noqa: E731

        def right(doc: Draft) -> Frame:
            return either([*_constants(doc, close), operand(doc, env, b" ", close)])

        def compared(doc: Draft) -> Frame:
            signs = (b"==", b"!=", b"<=", b">=", b"< ", b"> ")
            options = [(b" }}", then)]
            options += [(b" " + sign + (b"" if sign.endswith(b" ") else b" "), right) for sign in signs]
            return Choice(doc, options)

        return Fixed(doc, b" ", lambda doc: operand(doc, env, b" ", compared))

    return opened


class Read(Frame):
    """The name at the root of a read."""

    __slots__ = ("end", "env", "then", "typed")

    def __init__(self, doc: Draft, env: Env, end: bytes, then: Then, typed: str = "") -> None:
        super().__init__(doc)
        self.env, self.end, self.then, self.typed = env, end, then, typed

    def step(self, byte: int) -> Frame | None:
        """One more character of a name, or what follows a whole one."""
        longer = self.typed + chr(byte)
        if with_prefix(self.env.roots, longer):
            return Read(self.doc, self.env, self.end, self.then, longer)
        return self._after().step(byte) if self._is_whole() else None

    def hints(self) -> frozenset[int]:
        """The next characters of names, and what may follow one."""
        size = len(self.typed)
        roots = self.env.roots
        found = set(b".[" + self.end)
        for at in range(bisect_left(roots, self.typed), len(roots)):
            if not roots[at].startswith(self.typed):
                break
            if len(roots[at]) > size:
                found.add(ord(roots[at][size]))
        return frozenset(found)

    def ahead(self) -> bytes:
        """What all names that are left go on with."""
        return _shared(self.env.roots, self.typed)

    def _is_whole(self) -> bool:
        roots = self.env.roots
        at = bisect_left(roots, self.typed)
        return at < len(roots) and roots[at] == self.typed

    def _after(self) -> Frame:
        bare = self.typed.removeprefix("$.")
        if bare == INPUTS:
            return self.then(self.doc)  # a step would read another name
        name = bare.removeprefix(f"{INPUTS}.")
        schemas = ANYTHING if name in self.doc.free else self.doc.results.get(name, ANYTHING)
        return Steps(self.doc, schemas, self.end, self.then, 0)

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the shortest name."""
        root = shortest_with_prefix(self.env.roots, self.typed)
        return root[len(self.typed) :].encode(), self.then(self.doc)


class Steps(Frame):
    """Behind a name or a step: another step, or what ends the read."""

    __slots__ = ("depth", "end", "schemas", "then")

    def __init__(self, doc: Draft, schemas: Schemas, end: bytes, then: Then, depth: int) -> None:
        super().__init__(doc)
        self.schemas, self.end, self.then, self.depth = schemas, end, then, depth

    def step(self, byte: int) -> Frame | None:
        """A dot, a bracket, or the end."""
        if byte in self.end:
            return self.then(self.doc).step(byte)
        if self.depth == MOST_STEPS:
            return None
        if byte == ord("."):
            fields = fields_of(self.schemas)
            if fields is not None and not fields:
                return None
            return Member(self.doc, self, fields)
        return Index(self.doc, self) if byte == ord("[") else None

    def hints(self) -> frozenset[int]:
        """A dot, a bracket, or the end."""
        return frozenset(b".[" + self.end)

    def deeper(self, step: str | int) -> Steps:
        """Behind one more step."""
        left = tuple(after for schema in self.schemas if (after := below(schema, step)) is not LACKS)
        return Steps(self.doc, left, self.end, self.then, self.depth + 1)

    def policy(self) -> tuple[bytes, Frame]:
        """Ends the read."""
        return b"", self.then(self.doc)


LACKS: object = object()
"""Marks a schema whose values surely lack a step."""


def below(schema: object, step: str | int) -> object:
    """The schema at a step, None where nothing is known of it, `LACKS` where nothing is there."""
    if not isinstance(schema, Mapping):
        return None
    if isinstance(step, int):
        return schema.get("items")
    names = closed_fields(schema)
    if names is None:
        properties = schema.get("properties")
        return properties.get(step) if isinstance(properties, Mapping) else None
    return schema["properties"][step] if step in names else LACKS


def closed_fields(schema: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The fields of a value if there are no others, else None."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or schema.get("additionalProperties") or "patternProperties" in schema:
        return None
    if any(key in schema for key in ("$ref", "anyOf", "oneOf", "allOf", "if")):
        return None
    return tuple(properties)


def fields_of(schemas: Schemas) -> tuple[str, ...] | None:
    """The fields that a value may have and a template can name, sorted; None where it may have any."""
    found: set[str] = set()
    for schema in schemas:
        names = closed_fields(schema) if isinstance(schema, Mapping) else None
        if names is None:
            return None
        found.update(name for name in names if _is_name(name))
    return tuple(sorted(found))


def _is_name(text: str) -> bool:
    return bool(text) and text[0] in NAME.first and all(char in NAME.rest for char in text)


class Member(Frame):
    """The name of a field, after its dot."""

    __slots__ = ("base", "fields", "typed")

    def __init__(self, doc: Draft, base: Steps, fields: tuple[str, ...] | None, typed: str = "") -> None:
        super().__init__(doc)
        self.base, self.fields, self.typed = base, fields, typed

    def step(self, byte: int) -> Frame | None:
        """One more character, or what follows the field."""
        char = chr(byte)
        if char in (NAME.rest if self.typed else NAME.first):
            longer = self.typed + char
            if self.fields is None or with_prefix(self.fields, longer):
                return Member(self.doc, self.base, self.fields, longer)
            return None
        whole = self.typed in self.fields if self.fields is not None else bool(self.typed)
        return self.base.deeper(self.typed).step(byte) if whole else None

    @property
    def is_open(self) -> bool:
        """Whether any name may stand here, and nothing that follows tells it from another."""
        return self.fields is None and all(schema is None for schema in self.base.schemas)

    def hints(self) -> frozenset[int] | None:
        """The next characters of fields, and what may follow one."""
        if self.fields is None:
            return None
        size = len(self.typed)
        found = {ord(field[size]) for field in self.fields if len(field) > size and field.startswith(self.typed)}
        return frozenset((*b".[", *self.base.end, *found))

    def ahead(self) -> bytes:
        """What all fields that are left go on with."""
        return b"" if self.fields is None else _shared(self.fields, self.typed)

    def policy(self) -> tuple[bytes, Frame]:
        """The rest of the shortest field."""
        fields, typed = self.fields, self.typed
        name = (typed or NAME.first[0]) if fields is None else shortest_with_prefix(fields, typed)
        return name[len(self.typed) :].encode(), self.base.deeper(name)


def _shared(words: Sequence[str], typed: str) -> bytes:
    """What all of the sorted words that begin so go on with."""
    begin, end = bisect_left(words, typed), bisect_left(words, typed + _LAST)
    return shared_beginning([words[begin].encode(), words[end - 1].encode()])[len(typed.encode()) :]


_LAST = "\U0010ffff"
"""Stands behind every character."""


class Index(Frame):
    """An index of at most four digits, after its bracket."""

    __slots__ = ("base", "typed")

    def __init__(self, doc: Draft, base: Steps, typed: str = "") -> None:
        super().__init__(doc)
        self.base, self.typed = base, typed

    def step(self, byte: int) -> Frame | None:
        """One more digit, or the closing bracket."""
        if self.typed and byte in _INDEX_END:
            return self.base.deeper(int(self.typed))
        if 0x30 <= byte <= 0x39 and self.typed != "0" and len(self.typed) < 4:
            return Index(self.doc, self.base, self.typed + chr(byte))
        return None

    def hints(self) -> frozenset[int]:
        """Digits, and the closing bracket."""
        return _INDEX_BYTES

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the index."""
        typed = self.typed or "0"
        return typed[len(self.typed) :].encode() + _INDEX_END, self.base.deeper(int(typed))


class GuardedRead(Frame):
    """A read of a name that need not be there, up to the comma after it."""

    __slots__ = ("depth", "name", "then", "typed")

    def __init__(self, doc: Draft, then: Then, typed: str = "", name: str = "", depth: int = 0) -> None:
        super().__init__(doc)
        self.then, self.typed, self.name, self.depth = then, typed, name, depth

    special = (*_NOT_READ, *_ENVIRONMENT)
    """Names that are told from others."""

    @property
    def is_open(self) -> bool:
        """Whether any character of a name may stand here."""
        return not self.typed.endswith("]")

    def named(self, text: str) -> GuardedRead:
        """The frame after more characters of a name."""
        return GuardedRead(self.doc, self.then, self.typed + text, self.name + text, self.depth)

    def step(self, byte: int) -> Frame | None:
        """One more character; ``typed`` is the read so far, ``name`` its last part."""
        char = chr(byte)
        if char in (NAME.rest if self.name else NAME.first) and self.typed[-1:] != "]":
            return self.named(char)
        if char == "$" and not self.typed:
            return Fixed(self.doc, b".", lambda doc: GuardedRead(doc, self.then, "$."))
        if char == "," and self._may_end():
            return self.then(self.doc).step(byte)
        if char == "." and self._may_end() and self.depth < MOST_STEPS:
            return GuardedRead(self.doc, self.then, f"{self.typed}.", "", self.depth + 1)
        if char == "[" and self._may_end() and self.depth < MOST_STEPS:
            return Index(self.doc, self)  # type: ignore[arg-type]  # a chain of its own, with the same `deeper`
        return None

    def deeper(self, step: str | int) -> Frame:
        """Behind an index."""
        return GuardedRead(self.doc, self.then, f"{self.typed}[{step}]", "", self.depth + 1)

    def _may_end(self) -> bool:
        if self.typed.endswith("]"):
            return True
        bare = self.typed.removeprefix("$.")
        return bool(self.name) and bare not in self.special

    def policy(self) -> tuple[bytes, Frame]:
        """Ends the read."""
        return b"" if self._may_end() else b"a", self.then(self.doc)


class TemplateNumber(Frame):
    """A number inside a template."""

    __slots__ = ("then", "typed")

    def __init__(self, doc: Draft, then: Then, typed: str = "") -> None:
        super().__init__(doc)
        self.then, self.typed = then, typed

    def step(self, byte: int) -> Frame | None:
        """One more character of the number, or what follows it."""
        char, typed = chr(byte), self.typed
        if char == "-":
            return TemplateNumber(self.doc, self.then, "-") if not typed else None
        if char.isdigit() and byte < 0x80:
            return None if typed in ("0", "-0") else TemplateNumber(self.doc, self.then, typed + char)
        if not typed or not typed[-1].isdigit():
            return None
        if char == "." and "." not in typed:
            return TemplateNumber(self.doc, self.then, f"{typed}.")
        return self.then(self.doc).step(byte)

    def hints(self) -> frozenset[int] | None:
        """The characters of numbers, and what may follow one."""
        after = self.then(self.doc).hints() if self.typed[-1:].isdigit() else frozenset()
        return None if after is None else _NUMBER_BYTES | after

    def policy(self) -> tuple[bytes, Frame]:
        """Ends the number."""
        return b"" if self.typed[-1:].isdigit() else b"0", self.then(self.doc)


class InnerText(Frame):
    r"""A text inside a template, after its opening ``\"``."""

    __slots__ = ("begun", "then")

    def __init__(self, doc: Draft, then: Then, begun: bytes = b"") -> None:
        super().__init__(doc)
        self.then, self.begun = then, begun

    def step(self, byte: int) -> Frame | None:
        """One more byte of a character, or the closing quote's backslash."""
        if self.begun:
            low, high = more_bytes(self.begun) or (1, 0)
            if not low <= byte <= high:
                return None
            begun = self.begun + bytes((byte,))
            return InnerText(self.doc, self.then, b"" if len(begun) == length_of(begun[0]) else begun)
        if byte == ord("\\"):
            return Fixed(self.doc, b'"', self.then)
        if byte < 0x20 or byte == 0x7F or byte in b'"{}':
            return None
        if byte >= 0x80:
            begun = bytes((byte,))
            return InnerText(self.doc, self.then, begun) if more_bytes(begun) else None
        return InnerText(self.doc, self.then)

    def policy(self) -> tuple[bytes, Frame]:
        """Closes the text."""
        return (rest_of(self.begun) if self.begun else b"") + b'\\"', self.then(self.doc)
