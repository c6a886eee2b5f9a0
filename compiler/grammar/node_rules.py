"""Node types → rules, by the node table: one rule per type, one part per field, chosen by the field's kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from agentic_dsl.compiler.grammar.ir import EMPTY, Expr, Ref, alt, optional, repeat, separated, seq, some
from agentic_dsl.compiler.grammar.references import Targets
from agentic_dsl.compiler.grammar.rule_book import RuleBook
from agentic_dsl.compiler.grammar.schema import ToolParameters
from agentic_dsl.compiler.grammar.text_rules import (
    CONDITION_LINE,
    DYNAMIC_PATH_LINE,
    PLAIN_TEXT_LINE,
    TEXT_LINE,
)
from agentic_dsl.compiler.grammar.tool_rules import define_value, tool_lines
from agentic_dsl.compiler.grammar.value_rules import ANY, shape
from agentic_dsl.compiler.grammar.words import ID_LINE, KEY, NAME_LINE, WORD
from agentic_dsl.node_table import (
    NODE_TABLE,
    Assert,
    FieldKind,
    FieldSpec,
    Generated,
    GenerateSubgraph,
    Join,
    NodeSpec,
    Start,
    ToolCall,
)

_INDENT = "    "

TEXT_FORMS: dict[tuple[str, str], Ref] = {
    (Assert.TYPE, "condition"): CONDITION_LINE,
    (GenerateSubgraph.TYPE, "namespace_prefix"): DYNAMIC_PATH_LINE,
}
"""Text fields that generated text gives a narrower form."""

TOOL_FIELDS = ("tool", "arguments")
"""The fields of a tool call that depend on each other."""

TEXT_VALUES = (ToolCall.TYPE, "output_mapping")
"""The mapping whose values are paths in a result, so always text."""

NOT_IN_PROD = ("last_write_wins",)
"""Choices that only ``mode: dev`` allows; an answer is a document of its own, and so in ``prod`` mode."""

FEWEST_BRANCHES = 2


@dataclass(frozen=True, slots=True)
class NodeRules:
    """What the rules of node types need of one request."""

    book: RuleBook
    targets: Targets
    tools: Mapping[str, ToolParameters] | None

    def nodes(self, types: Sequence[str], least: int, most: int | None) -> Expr:
        """The nodes of one block: ``least`` to ``most``. A start can only stand first, a join cannot."""
        bodies = {name: self._body(NODE_TABLE[name]) for name in sorted(types)}
        first = {name: body for name, body in bodies.items() if name != Join.TYPE}
        others = {name: body for name, body in bodies.items() if name != Start.TYPE}
        if first == others:
            return repeat(self._node("node", bodies), least, most)
        top = None if most is None else most - 1
        more = repeat(self._node("node", others), max(least - 1, 0), top) if others and top != 0 else EMPTY
        return seq(self._node("first_node", first), more)

    def _node(self, rule: str, bodies: Mapping[str, Expr]) -> Ref:
        """The rule of one node of any of the types, given what follows each."""
        typed = self.book.define(f"{rule}_type", alt(*(seq(f"{name}\n", body) for name, body in bodies.items())))
        # No node but an end may have the id "end", so that id comes with its type.
        ends = [
            seq(f"  - id: end\n    type: {name}\n", body) for name, body in bodies.items() if NODE_TABLE[name].is_end
        ]
        return self.book.define(rule, alt(seq(ID_LINE, "    type: ", typed), *ends))

    def _body(self, spec: NodeSpec) -> Expr:
        """The lines of a node below ``type:``."""
        fields = [f for f in spec.fields if f.generated is not Generated.NEVER and f.kind is not FieldKind.ID]
        return self.book.define(f"node_{spec.type}", seq(*(self._group(spec, group) for group in _groups(fields))))

    def _group(self, spec: NodeSpec, group: Sequence[FieldSpec]) -> Expr:
        """Fields that are printed together."""
        first = group[0]
        if spec.type == ToolCall.TYPE and first.name == TOOL_FIELDS[0]:
            return self.book.define("tool", tool_lines(self.book, self.tools))
        if first.alternative is not None:
            return self._one_at_least([self._line(spec, f) for f in group])
        if len(first.path) == 1:
            line = self._line(spec, first)
            return line if first.generated is Generated.ALWAYS else optional(line)
        lines = [self._line(spec, f) for f in group]
        shown = [
            line if f.generated is Generated.ALWAYS else optional(line) for f, line in zip(group, lines, strict=True)
        ]
        header = f"{_INDENT}{first.path[0]}:\n"
        if any(f.generated is Generated.ALWAYS for f in group):
            return seq(header, *shown)
        return optional(header, self.book.some_in_order(f"{spec.type}_{first.path[0]}", lines))

    def _one_at_least(self, lines: list[Expr]) -> Expr:
        first, *others = lines
        return alt(seq(first, *map(optional, others)), *others)

    def _line(self, spec: NodeSpec, field: FieldSpec) -> Ref:
        """One field from its indent to its newline: a rule of its own, so that few rules change with a request."""
        key = f"{_INDENT}{'  ' * (len(field.path) - 1)}{field.path[-1]}:"
        return self.book.define(f"{'_'.join(field.path)}_field", self._line_expr(spec, field, key))

    def _line_expr(self, spec: NodeSpec, field: FieldSpec, key: str) -> Expr:
        match field.kind:
            case FieldKind.KEYS:
                return seq(key, ' ["', separated(WORD, '", "'), '"]\n')
            case FieldKind.REFERENCES:
                return seq(key, " ", self._references(field))
            case FieldKind.REFERENCE:
                return seq(key, " ", self.targets.handler(self.book))
            case FieldKind.CHOICE:
                choices = [choice for choice in field.choices if choice not in (field.default, *NOT_IN_PROD)]
                return alt(*(f"{key} {choice}\n" for choice in choices))
            case FieldKind.TEXT:
                plain = TEXT_LINE if field.template else PLAIN_TEXT_LINE
                return seq(key, " ", TEXT_FORMS.get((spec.type, field.name), plain))
            case FieldKind.NAME:
                return seq(key, " ", NAME_LINE)
            case FieldKind.INTEGER:
                return seq(key, " ", define_value(self.book, shape(["integer"]), templates=field.template))
            case FieldKind.VALUES:
                return self._values(spec, field, key)
            case FieldKind.PARAMETERS:
                return self._parameters(field, key)
            case (
                FieldKind.ID
                | FieldKind.DATA
                | FieldKind.WAIT
                | FieldKind.PERMISSIONS
                | FieldKind.SIGNATURE
                | FieldKind.ARCHIVE
            ):
                raise ValueError(f"the grammar has no line for {spec.type}.{field.name}, a {field.kind.value}")
            case _:
                assert_never(field.kind)

    def _references(self, field: FieldSpec) -> Expr:
        if field.path == ("next",):
            return self.targets.successors(self.book)
        return self.targets.node_list(self.book, FEWEST_BRANCHES if field.path[0] == "fork" else 1)

    def _values(self, spec: NodeSpec, field: FieldSpec, key: str) -> Expr:
        if (spec.type, field.name) == TEXT_VALUES:
            value: Expr = TEXT_LINE
        else:
            value = define_value(self.book, ANY, templates=field.template)
        entry = self.book.define(f"{field.name}_entry", seq("      ", KEY, value))
        return seq(key, "\n", some(entry))

    def _parameters(self, field: FieldSpec, key: str) -> Expr:
        lines = []
        for name, kind in field.parameters.items():
            value = PLAIN_TEXT_LINE if kind == "string" else define_value(self.book, shape([kind]), templates=False)
            lines.append(seq(f"      {name}: ", value))
        return seq(key, "\n", self.book.some_in_order(field.name, lines))


def _groups(fields: Sequence[FieldSpec]) -> Iterator[list[FieldSpec]]:
    """Fields that stand under one key together, a field and its alternative together, the others alone."""
    waiting = list(fields)
    while waiting:
        first = waiting.pop(0)
        group = [first]
        while waiting and (
            (len(first.path) > 1 and waiting[0].path[0] == first.path[0])
            or waiting[0].name == first.alternative
            or (first.name, waiting[0].name) == TOOL_FIELDS
        ):
            group.append(waiting.pop(0))
        yield group
