"""Completion: what can be written where the cursor stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lsprotocol import types

from agentic_dsl.cli.language_server import describe
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor
from agentic_dsl.cli.language_server.names import names_at, origins
from agentic_dsl.cli.language_server.reference_completion import references
from agentic_dsl.cli.language_server.suggestion import Suggestion
from agentic_dsl.compiler.lint.rules.templates.unknown_function import FUNCTIONS
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.node_table import NODE_TABLE, End, FieldKind, FieldSpec, ResourceDeclare
from agentic_dsl.span import Span
from agentic_dsl.template import ALWAYS_THERE

MAX_ITEMS = 500
"""Items of one answer; where there are more, the editor asks again when more is written."""

TRIGGERS = (":", " ", '"', "'", "/", "{", "[", ",", ".", "$")
"""Characters after which editors ask by themselves."""

_Kind = types.CompletionItemKind


@dataclass(frozen=True)
class Completing:
    """One question.

    Attributes:
        cursor: in the text as it is.
        analysis: the same document, readable.
        tools: of the tools file.
    """

    cursor: Cursor
    analysis: Analysis
    tools: tuple[ToolSpec, ...]


def completion(question: Completing) -> types.CompletionList:
    """What can be written at a cursor."""
    cursor = question.cursor
    if cursor.is_value and (name := cursor.template) is not None:
        return _listed(question, _names(question), name)
    found = _values(question) if cursor.is_value else _keys(question)
    return _listed(question, found, cursor.edit)


def _listed(question: Completing, found: Iterable[Suggestion], span: Span) -> types.CompletionList:
    prefix = question.cursor.analysis.text[span.start : question.cursor.offset]
    fitting = [item for item in found if _fits(item.matched, prefix)]
    place = question.cursor.analysis.positions.range(span)
    items = [
        types.CompletionItem(
            label=item.label,
            kind=item.kind,
            detail=item.detail or None,
            documentation=types.MarkupContent(types.MarkupKind.Markdown, item.documentation)
            if item.documentation
            else None,
            filter_text=item.matched,
            sort_text=f"{number:05}",
            text_edit=types.TextEdit(place, item.text),
        )
        for number, item in enumerate(fitting[:MAX_ITEMS])
    ]
    return types.CompletionList(is_incomplete=len(fitting) > MAX_ITEMS, items=items)


def _fits(text: str, prefix: str) -> bool:
    """Whether the letters of a prefix stand in a text in this order, which is how editors choose."""
    rest = iter(text.lower())
    return all(letter in rest for letter in prefix.lower())


# --- keys ------------------------------------------------------------------------------------------------------------


def _keys(question: Completing) -> Iterator[Suggestion]:
    """The keys that the mapping here can have and has not yet."""
    cursor = question.cursor
    path = tuple(step for step in cursor.inner if isinstance(step, str))
    present = set(cursor.outline.keys(cursor.slot.path)) - {cursor.slot.text}
    offered: dict[str, Suggestion] = {}
    if not path and not present & {"type"} and (cursor.is_node or cursor.path == "/__meta__/resources"):
        offered["type"] = _key("type", "what the node does", _Kind.Keyword)
    for spec in cursor.fields:
        if spec.path[: len(path)] == path and len(spec.path) > len(path):
            key = spec.path[len(path)]
            is_whole = len(spec.path) == len(path) + 1
            owner = (cursor.written("type") or "node") if cursor.is_node else cursor.path
            says = describe.field(spec, owner) if is_whole else spec.doc
            offered.setdefault(key, _key(key, says, _Kind.Field, is_required=spec.required))
    if path and (inner := _inner_keys(question, path)) is not None:
        offered |= inner
    yield from sorted((item for key, item in offered.items() if key not in present), key=lambda i: i.detail == "")


def _inner_keys(question: Completing, path: tuple[str, ...]) -> dict[str, Suggestion] | None:
    """The keys inside a field: sampling parameters, the arguments of the tool."""
    cursor = question.cursor
    field = cursor.field
    if field is None or path != field.path:
        return None
    if field.kind is FieldKind.PARAMETERS:
        return {name: _key(name, f"{kind}", _Kind.Field) for name, kind in field.parameters.items()}
    if field.name == "arguments":
        tool = describe.tools_of(question.analysis.document, question.tools).get(cursor.written("tool") or "")
        properties = tool.parameters.get("properties") if tool is not None else None
        if isinstance(properties, Mapping):
            return {name: _key(name, "argument", _Kind.Field) for name in properties}
    return None


def _key(name: str, documentation: str, kind: types.CompletionItemKind, *, is_required: bool = False) -> Suggestion:
    return Suggestion(name, f"{name}: ", name, kind, "required" if is_required else "", documentation)


# --- values ----------------------------------------------------------------------------------------------------------


def _values(question: Completing) -> Iterator[Suggestion]:
    cursor = question.cursor
    if cursor.keys == ("type",) and cursor.is_node:
        for spec in NODE_TABLE.values():
            if spec.row is not ResourceDeclare:
                yield Suggestion(spec.type, spec.type, spec.type, _Kind.Class, spec.doc, describe.node_type(spec))
        return
    field = cursor.field
    if field is None:
        return
    match field.kind:
        case FieldKind.CHOICE:
            yield from (_word(word, _Kind.EnumMember, field) for word in field.choices)
        case FieldKind.REFERENCE | FieldKind.REFERENCES | FieldKind.WAIT:
            yield from references(cursor, question.analysis, field)
        case FieldKind.ID if field.path == ("entry",):
            yield from references(cursor, question.analysis, field)
        case FieldKind.NAME if field.path == ("tool",):
            yield from _tools(question)
        case FieldKind.KEYS if cursor.spec is not None and cursor.spec.row is End:
            yield from _names(question, functions=False)
        case FieldKind.DATA if cursor.keys[:1] == ("requires",):
            yield from references(cursor, question.analysis, field)
        case _:
            return


def _word(word: str, kind: types.CompletionItemKind, field: FieldSpec) -> Suggestion:
    detail = "default" if word == field.default else ""
    return Suggestion(word, word, word, kind, detail, field.doc)


def _tools(question: Completing) -> Iterator[Suggestion]:
    for tool in describe.tools_of(question.analysis.document, question.tools).values():
        about = tool.description.partition("\n")[0]
        yield Suggestion(tool.name, tool.name, tool.name, _Kind.Function, about, describe.tool(tool))


def _names(question: Completing, *, functions: bool = True) -> Iterator[Suggestion]:
    """The names that there are at the node, and the functions of templates."""
    analysis = question.analysis
    place = question.cursor.place(analysis.check)
    for name in names_at(analysis, place) if place is not None else ():
        written = [origin.text for origin in origins(analysis, place, name)] if place is not None else []
        yield Suggestion(name, name, name, _Kind.Variable, written[0] if written else "", "\n\n".join(written))
    if not functions:
        return
    for name in sorted(ALWAYS_THERE):
        yield Suggestion(name, name, name, _Kind.Variable, "always there", "")
    for name in sorted(FUNCTIONS):
        yield Suggestion(name, f"{name}(", name, _Kind.Function, "function of templates", "")
