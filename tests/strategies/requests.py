"""What a request may allow: tools with schemas, libraries, signatures, contexts; and the texts that lines can hold."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from agentic_dsl.constraints import ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.signature import FieldType, Parameter, Signature
from tests.strategies.values import RAW_CHARS, words

NUMBER, INTEGER, BOOLEAN = FieldType("number"), FieldType("integer"), FieldType("boolean")

ints = st.integers(-(10**15) + 1, 10**15 - 1)


@st.composite
def plain_floats(draw: st.DrawFn) -> float:
    """A number with at most nine digits before the point and six after it, or with ``.0``."""
    if draw(st.booleans()):
        return float(draw(ints))
    whole = draw(st.integers(0, 10**9 - 1))
    fraction = f"{draw(st.integers(1, 10**6 - 1)):06d}".rstrip("0")
    sign = draw(st.sampled_from(("", "-")))
    return float(f"{sign}{whole}.{fraction}")


numbers = st.one_of(ints, plain_floats().filter(lambda x: x != 0))

ESCAPED = st.sampled_from('\n\t\r"\\\x00\x07\x1f\x7f\x80\x85\x9f')
plain_texts = st.text(st.one_of(RAW_CHARS, ESCAPED), max_size=20)
"""Text in which braces mean nothing."""

_text_chars = st.one_of(RAW_CHARS.filter(lambda c: c != "{"), ESCAPED)
_braces = st.sampled_from(["{a", "{ ", "{}", '{"k": 1}', "}}", "%}", "{\n"])
pieces = st.one_of(st.text(_text_chars, max_size=12), _braces)

SCHEMAS: tuple[dict[str, Any], ...] = (
    {"type": "string"},
    {"type": "string", "enum": ["metric", "imperial", "no", "a b", ""]},
    {"type": "integer"},
    {"type": "number"},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {"type": "integer"}},
)
"""Argument schemas whose every value an argument line can hold."""

TOOL_NAMES = ("web_search", "get weather", "no", "größe", "a/b-c.d", "9lives", 'say "hi"')
ARGUMENT_NAMES = ("query", "on", "max-results", "a b", "ünit", "limit")


@st.composite
def tool_specs(draw: st.DrawFn, name: str) -> ToolSpec:
    """A tool with some parameters, some of them required."""
    keys = draw(st.lists(st.sampled_from(ARGUMENT_NAMES), unique=True, max_size=4))
    required = [key for key in keys if draw(st.booleans())]
    properties = {key: draw(st.sampled_from(SCHEMAS)) for key in keys}
    fields = draw(st.lists(words, unique=True, min_size=1, max_size=3)) if draw(st.booleans()) else []
    returns = {"type": "object", "properties": {key: {"type": "string"} for key in fields}} if fields else {}
    parameters = {"type": "object", "properties": properties, "required": required}
    return ToolSpec(name=name, parameters=parameters, returns=returns)


LIBRARIES = (
    LibrarySpec(path="/lib/text/tidy", signature="(text: string) -> {tidy_text: string}", version="1"),
    LibrarySpec(path="/lib/text/rank", signature="(items: any, top?: integer = 3) -> {ranked: array}", version="1.2"),
    LibrarySpec(path="/lib/clock", signature="() -> {clock_time: string}"),
)


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    """A signature as generated text may have one."""
    types = st.sampled_from(
        [NUMBER, INTEGER, BOOLEAN, FieldType("string"), FieldType("any"), FieldType("array", NUMBER)]
    )
    names = draw(st.lists(words, unique=True, min_size=1, max_size=4))
    cut = draw(st.integers(0, len(names) - 1))
    made = [Parameter(name, draw(types), required=draw(st.booleans())) for name in names]
    return Signature(tuple(made[:cut]), tuple(made[cut:]))


PATHS = ("/dynamic/plan", "/dynamic/a/b-2/C_3", "/lib/math/add", "/lib/workflow/x", "/lib/reasoning/try")
PERMISSIONS = ("network", "file: read", "memory → scope: session")


@st.composite
def contexts(draw: st.DrawFn, signature: Signature | None) -> ContextSignature:
    taken = {p.name for p in (*signature.inputs, *signature.outputs)} if signature else set()
    names = draw(st.lists(words.filter(lambda word: word not in taken), unique=True, max_size=4))
    known = {name: draw(st.sampled_from(("any", "string", "object"))) for name in names}
    outputs = draw(st.lists(words, unique=True, max_size=2))
    return ContextSignature(available_vars=known, required_outputs=tuple(outputs))
