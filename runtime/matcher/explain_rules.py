"""Why something is not allowed at a place: the rule of the language, the finding of `check`, the constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agentic_dsl.runtime.matcher import explain_node_rules as nodes
from agentic_dsl.runtime.matcher import explain_reference_rules as references
from agentic_dsl.runtime.matcher import explain_value_rules as values
from agentic_dsl.runtime.matcher.explain_place import Place, Role, key_of
from agentic_dsl.runtime.matcher.explain_rule import (
    COUNT,
    FEW,
    LAYOUT,
    LONG_TEXT,
    LONG_WORD,
    OUTPUTS,
    Rule,
    arguments_of,
)


def rule_at(place: Place) -> Rule:
    """The rule that forbids what stands at a place."""
    return _RULES.get(place.role, _layout)(place)


def _layout(_place: Place) -> Rule:
    return LAYOUT


_RULES: Mapping[Role, Callable[[Place], Rule]] = {
    Role.HEAD: nodes.head_rule,
    Role.ID: nodes.id_rule,
    Role.TYPE: nodes.type_rule,
    Role.LINE: nodes.line_rule,
    Role.NAME: values.name_rule,
    Role.CHOICE: values.choice_rule,
    Role.VALUE: values.value_rule,
    Role.TEXT: values.text_value_rule,
    Role.KEY: values.key_rule,
    Role.REFERENCE: references.reference_rule,
    Role.QUERY: references.query_rule,
    Role.LIST: references.list_rule,
    Role.TEMPLATE: values.template_rule,
    Role.FIELD: values.field_of_result_rule,
    Role.DONE: nodes.done_rule,
}


def subject_of(place: Place) -> tuple[str, ...]:
    """The tool that a place is about, and where in its declaration: a path of keys; empty where it is about none."""
    tool = place.doc.node.tool
    if tool is None or not tool.name or place.role in (Role.TEMPLATE, Role.FIELD):
        return ()
    if place.role in (Role.KEY, Role.LIST):
        return (tool.name, "returns")
    if place.field is None or place.field.name != "arguments":
        key = next((key_of(text) for text in place.offer.texts if text.startswith("      ")), None)
    else:
        key = key_of(place.line) or key_of(place.word)
    if key in arguments_of(place):
        return (tool.name, "parameters", "properties", key)
    return (tool.name, "parameters")


_OF_A_BOUND: Mapping[str, Rule] = {
    "max_text_chars": LONG_TEXT,
    "max_identifier_chars": LONG_WORD,
    "max_nodes": COUNT,
    "min_nodes": FEW,
    "context.required_outputs": OUTPUTS,
}


def settled(rule: Rule, place: Place, found: Sequence[str]) -> Rule:
    """The rule, now that it is known exactly which constraints forbid what is written."""
    if found and not set(found) & set(rule.fields) and (bound := _OF_A_BOUND.get(found[0])) is not None:
        return bound
    if not found and rule.fields and place.role is Role.VALUE:
        return replace(LAYOUT, text="values have the spelling of the layout: double quotes, plain numbers")
    return rule


__all__ = ["rule_at", "settled", "subject_of"]
