"""Anchors and aliases of one YAML body, within the limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from agentic_dsl import codes
from agentic_dsl.compiler.parse.yaml_limits import ALIASED_TEXT, MAX_ALIASED_VALUES, MAX_NESTING, YamlBudget
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar, YamlSequence
from agentic_dsl.diagnostics import Code, Diagnostic
from agentic_dsl.span import Span


class Anchors:
    """The anchors seen so far. An alias shares the anchored tree, so it costs nothing here; who reads it pays."""

    def __init__(self, diagnostics: list[Diagnostic], budget: YamlBudget, restore: Callable[[str], str]) -> None:
        self._diagnostics = diagnostics
        self._budget = budget
        self._restore = restore
        self._nodes: dict[str, YamlNode | None] = {}
        self._measured: dict[int, tuple[YamlNode, int, int]] = {}

    def open(self, name: str) -> None:
        """An anchored list or mapping begins: an alias to it before it is defined would never end."""
        self._nodes[name] = None

    def define(self, name: str, node: YamlNode) -> None:
        """The value of an anchor is complete."""
        self._nodes[name] = node

    def expand(self, name: str, span: Span, *, depth: int) -> YamlNode:
        """What an alias stands for; null, with a finding, where that is nothing or too much.

        Args:
            name: of the anchor.
            span: of the alias.
            depth: how many lists and mappings are around it.
        """
        target = self._nodes.get(name)
        if target is not None:
            if self._fits(target, span, depth):
                return target
        elif name in self._nodes:
            message = f'the alias "*{self._restore(name)}" contains itself'
            self._report(codes.YAML_LIMIT, span, message, "write the value out")
        else:
            message = f'the alias "*{self._restore(name)}" names no anchor'
            help = f'write "&{self._restore(name)}" before the value that is meant, or put the text in quotes'
            self._report(codes.YAML_SYNTAX, span, message, help)
        return YamlScalar("", None, "", span.start, span.end)

    def _fits(self, target: YamlNode, span: Span, depth: int) -> bool:
        size, levels = self._measure(target)
        if depth + levels > MAX_NESTING:
            message = f"values nest more than {MAX_NESTING} levels deep"
            self._report(codes.YAML_LIMIT, span, message, "flatten the value")
            return False
        if size > self._budget.aliased:
            if not self._budget.expansion_reported:
                message = f"aliases expand to more than {MAX_ALIASED_VALUES:,} values"
                self._report(codes.YAML_LIMIT, span, message, "write fewer aliases of aliases")
            self._budget.expansion_reported = True
            return False
        self._budget.aliased -= size
        return True

    def _measure(self, node: YamlNode) -> tuple[int, int]:
        """How many values a node expands to, long texts counted as several, and how many levels deep.

        Each shared part is measured once.
        """
        known = self._measured.get(id(node))
        if known is not None:
            return known[1], known[2]
        match node:
            case YamlScalar(text):
                return 1 + len(text) // ALIASED_TEXT, 0
            case YamlSequence(items):
                children: tuple[YamlNode, ...] = items
            case YamlMapping(pairs):
                children = tuple(child for pair in pairs for child in pair)
            case _:
                assert_never(node)
        measures = [self._measure(child) for child in children]
        size = 1 + sum(size for size, _ in measures)
        levels = 1 + max((levels for _, levels in measures), default=0)
        self._measured[id(node)] = node, size, levels  # the node is kept, so that its id stays its own
        return size, levels

    def _report(self, code: Code, span: Span, message: str, help: str) -> None:
        self._diagnostics.append(code.at(span, message, help=help))
