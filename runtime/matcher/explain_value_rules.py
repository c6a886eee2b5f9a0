"""Why a name, a value, a key or what a template reads is not allowed."""

from __future__ import annotations

import re
from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.node_table import NODE_TABLE, ToolCall
from agentic_dsl.runtime.matcher.explain_place import Place
from agentic_dsl.runtime.matcher.explain_rule import LAYOUT, LONG_TEXT, Rule, made_up_word
from agentic_dsl.runtime.matcher.plan import WORD
from agentic_dsl.runtime.matcher.texts import Text


def name_rule(place: Place) -> Rule:
    """Of the name of a tool, model or runtime."""
    doc, field = place.doc, place.field
    if field is None or not (doc.node.type == ToolCall.TYPE and field.name == "tool"):
        return replace(LAYOUT, text="names are printed plain")
    if (names := doc.limits("tool")) is not None and place.word not in names and _is_tool(place):
        return Rule("3", "nodes use what the block asks for", codes.PERMISSION_EXCEEDED, ("permissions",))
    if doc.plan.tools is None:
        return replace(LAYOUT, text="names are printed plain")
    return Rule("3", "a tool that is called is one of those declared", codes.TOOL_NOT_ALLOWED, ("tools",))


def _is_tool(place: Place) -> bool:
    return place.doc.plan.tools is None or any(tool.name == place.word for tool in place.doc.plan.tools)


def choice_rule(place: Place) -> Rule:
    """Of one of several words."""
    field = place.field
    if field is None:
        return LAYOUT
    if field.name == "merge_strategy" and place.word in field.choices and place.doc.conflicting:
        return Rule("5.10", "a join of different values of a name says how to merge them", codes.MERGE_CONFLICT)
    if place.word == field.default:
        return replace(LAYOUT, text="a field equal to its default is left out")
    if place.word in field.choices:
        return Rule("3", f"{place.word} is not for prod mode", codes.MERGE_STRATEGY_MODE)
    return Rule("3", f"{field.name} is one of its words", codes.WRONG_VALUE)


def value_rule(place: Place) -> Rule:
    """Of the value of an argument or key."""
    if _is_full(place):
        return LONG_TEXT
    is_argument = place.field is not None and place.field.name == "arguments"
    if is_argument and place.doc.node.tool is not None and place.doc.node.tool.parameters is not None:
        return Rule("3", "an argument fits its schema", codes.BAD_ARGUMENT, ("tools",))
    return replace(LAYOUT, text="values are numbers, true, false, null, quoted texts and lists of them")


def _is_full(place: Place) -> bool:
    frame = place.frame
    return isinstance(frame, Text) and frame.used >= frame.most and not place.rest.startswith('"')


def text_value_rule(place: Place) -> Rule:
    """Of a text."""
    if _is_full(place):
        return LONG_TEXT
    if place.rest.startswith('"') and isinstance(place.frame, Text):
        return Rule("3", "a text is not empty", codes.MISSING_FIELD)
    return replace(LAYOUT, text="texts hold plain characters, the escapes of the layout, and templates of one read")


def key_rule(place: Place) -> Rule:
    """Of a key of ``output_keys`` or of a mapping."""
    doc = place.doc
    if place.word in doc.node.keys:
        return Rule("1", "a key stands once", codes.DUPLICATE_KEY)
    if NODE_TABLE[doc.node.type].is_end:
        return Rule("5.8", "an end hands back what is available", codes.UNKNOWN_NAME, ("context.available_vars",))
    if WORD.fullmatch(place.word) and place.word not in YAML_WORDS and len(place.word) <= doc.plan.max_word:
        return Rule("3", "output_keys are fields of the tool's result", codes.UNKNOWN_RESULT_FIELD, ("tools",))
    return made_up_word(place)


def template_rule(place: Place) -> Rule:
    """Of what a template reads."""
    doc = place.doc
    name = place.word.removeprefix("$.").removeprefix("inputs.").partition(".")[0]
    if not name or not place.offer.texts or name in doc.node.env or name in place.offer.texts:
        return Rule("6", "a template of generated text reads one name", codes.NOT_GENERATED_FORM, layout=True)
    if name in doc.results or name in doc.node.written or _is_written_later(place, name):
        return Rule("5.8", "data exists before it is read, on every way here", codes.NOT_YET_AVAILABLE)
    return Rule("5.8", "data exists before it is read", codes.UNKNOWN_NAME, ("context.available_vars",))


def _is_written_later(place: Place, name: str) -> bool:
    """Whether the text behind the place writes a name: as a key of a list or of a mapping."""
    line = re.compile(rf'^    output_keys: .*"{re.escape(name)}"|^      {re.escape(name)}: ', re.MULTILINE)
    nodes = place.later.split("\n  - id: ")
    return any(line.search(node) for node in nodes if "\n    type: end\n" not in node)


def field_of_result_rule(_place: Place) -> Rule:
    """Of a field of a value."""
    return Rule("5.8", "a result is read by the fields that it has", codes.UNKNOWN_RESULT_FIELD, ("tools",))


__all__ = [
    "choice_rule",
    "field_of_result_rule",
    "key_rule",
    "name_rule",
    "template_rule",
    "text_value_rule",
    "value_rule",
]
