"""Why a reference, the query of a call, or the end of a list is not allowed."""

from __future__ import annotations

import re
from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.compiler.standard_library import standard_library
from agentic_dsl.node_table import FieldKind
from agentic_dsl.paths import SYSTEM_TARGETS
from agentic_dsl.runtime.matcher.explain_place import Place
from agentic_dsl.runtime.matcher.explain_rule import COUNT, FEW, LAYOUT, OUTPUTS, Rule, made_up_word
from agentic_dsl.runtime.matcher.plan import END_ID, WORD
from agentic_dsl.runtime.matcher.references import FEWEST_BRANCHES


def reference_rule(place: Place) -> Rule:
    """Of a reference."""
    doc, plan = place.doc, place.doc.plan
    prefix = doc.block.prefix.decode()
    quoted = place.line.rpartition('"')[2]
    if quoted == prefix:
        return _node_reference(place)
    target = (quoted + place.word).partition("?")[0]
    path, own = target.partition("@")[0], any(text.startswith(prefix) for text in place.offer.texts)
    if target.startswith(prefix) and not own:
        return replace(COUNT, fields=("max_nodes", *OUTPUTS.fields))
    if target in plan.ends:
        holds = not doc.node.delivered.lacks(doc.required)
        if doc.node.listed:
            return Rule("5", "an end stands alone in its list", codes.BAD_LIST)
        return OUTPUTS if not holds else FEW
    if target in SYSTEM_TARGETS:
        return Rule("2", "ends are those that may be used", codes.TARGET_NOT_ALLOWED, ("targets",))
    if any(call.reference == target for call in plan.calls):
        if doc.node.listed or (place.field is not None and place.field.kind is FieldKind.REFERENCE):
            return Rule("5", "library calls come first in next, and nowhere else", codes.BAD_LIST)
        return Rule("5.8", "a call has its required inputs", codes.MISSING_INPUT, ("libraries",))
    if path.startswith("/lib/"):
        code = codes.TARGET_NOT_ALLOWED if path in map(str, standard_library().by_path) else codes.DANGLING
        return Rule("2", "a library that is called is one of those declared", code, ("libraries",))
    if not target.startswith("/"):
        return replace(LAYOUT, text="references are full paths")
    return Rule("5.2", "every reference resolves", codes.DANGLING, ("targets",))


def _node_reference(place: Place) -> Rule:
    doc, word = place.doc, place.word
    if word in doc.ids:
        return Rule("5.3", "the graph has no circle: references point at later nodes", codes.CYCLE)
    if word in doc.node.listed:
        return Rule("5", "a list names each target once", codes.DUPLICATE_BRANCH)
    if word == END_ID:
        return _end_reference(place)
    if WORD.fullmatch(word) and word not in YAML_WORDS and len(word) <= doc.plan.max_word:
        if word in doc.block.reserved:
            return made_up_word(place)
        return COUNT if not doc.fresh else replace(OUTPUTS, fields=(*OUTPUTS.fields, "max_nodes"))
    return made_up_word(place)


def _end_reference(place: Place) -> Rule:
    doc = place.doc
    if (doc.node.delivered if place.field and place.field.kind is FieldKind.REFERENCES else doc.node.env).lacks(
        doc.required
    ):
        return OUTPUTS
    if END_ID not in doc.plan.types:
        return Rule("3", "the types allowed have no end", codes.TYPE_NOT_ALLOWED, ("allowed_node_types",))
    return COUNT


def query_rule(place: Place) -> Rule:
    """Of the query of a library call."""
    if place.rest.startswith('"'):
        return Rule("5.8", "a call has its required inputs", codes.MISSING_INPUT, ("libraries",))
    name = re.match(r"[?&]?(\w+)=", place.rest)
    if name is not None:
        return Rule("2", "a query names the inputs of the call in their order", codes.UNKNOWN_INPUT, ("libraries",))
    return Rule("2", "an input has the type that the signature says", codes.BAD_INPUT, ("libraries",))


def list_rule(place: Place) -> Rule:
    """Of what stands behind an item of a list."""
    doc = place.doc
    is_keys = place.field is not None and place.field.kind is FieldKind.KEYS
    if "]" not in place.word:
        if "," not in place.word:
            return LAYOUT
        fields = Rule("3", "output_keys are fields of the tool's result", codes.UNKNOWN_RESULT_FIELD, ("tools",))
        return fields if is_keys else COUNT
    if is_keys:
        return replace(OUTPUTS, fields=(*OUTPUTS.fields, "max_nodes"))
    if place.field is not None and place.field.path[0] == "fork" and len(doc.node.listed) < FEWEST_BRANCHES:
        return Rule("3", "a fork has two branches", codes.FEW_BRANCHES)
    if doc.node.delivered.lacks(doc.required) and not doc.node.listed:
        return OUTPUTS
    return FEW


__all__ = ["list_rule", "query_rule", "reference_rule"]
