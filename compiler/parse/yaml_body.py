"""Step 1.2: the body of a block → a tree of scalars, lists and mappings, with the place of each.

libyaml's event stream, not its constructors: the events carry the places, and the values are ours to resolve (YAML
1.2). The tree is built with a stack of our own, so no nesting exhausts Python's.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn, cast

from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from agentic_dsl import codes
from agentic_dsl.compiler.parse.comments import find_comments
from agentic_dsl.compiler.parse.scalars import MAX_NUMBER_LENGTH, is_oversized, resolve
from agentic_dsl.compiler.parse.wording import shown
from agentic_dsl.compiler.parse.yaml_anchors import Anchors
from agentic_dsl.compiler.parse.yaml_characters import CONTROL, Shielded, shield
from agentic_dsl.compiler.parse.yaml_errors import syntax_diagnostic
from agentic_dsl.compiler.parse.yaml_limits import MAX_NESTING, MAX_VALUES, YamlBudget
from agentic_dsl.compiler.parse.yaml_tree import YamlComment, YamlMapping, YamlNode, YamlScalar, YamlSequence
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

try:
    from yaml._yaml import CParser as EventParser
except ImportError:  # a PyYAML built without libyaml: the same events, twenty times slower
    from agentic_dsl.compiler.parse.yaml_pure import PureParser as EventParser  # type: ignore[assignment]


_new_tuple = tuple.__new__
"""Makes a named tuple without the Python function between, which would take as long as all the rest."""


class _LimitError(Exception):
    """The body cannot be read any further; the diagnostic is already there."""


def read_yaml(
    text: str, source_offset: int, *, budget: YamlBudget | None = None
) -> tuple[YamlNode | None, list[Diagnostic], list[YamlComment]]:
    """Reads one body.

    Args:
        text: the YAML.
        source_offset: where it begins in the document; all spans are offsets into the document.
        budget: the document's limits, by default a fresh one.

    Returns:
        The root (None where the body is empty or cannot be read), the findings, and the comments in source order.
    """
    shielded = shield(text)
    builder = _Builder(shielded, source_offset, budget or YamlBudget())
    if not shielded.is_plain:
        builder.check_controls(text)
    try:
        root = builder.build()
    except YAMLError as error:
        builder.diagnostics.append(syntax_diagnostic(error, text, source_offset))
        return None, builder.diagnostics, []
    except _LimitError:
        return None, builder.diagnostics, []
    comments = find_comments(text, source_offset, builder.scalars) if builder.has_comments else []
    return root, builder.diagnostics, comments


class _Frame:
    """A list or mapping that is being read; the children of a mapping are keys and values in turn."""

    __slots__ = ("alias", "anchor", "children", "flow", "start")

    def __init__(self, start: int, flow: bool, anchor: str | None) -> None:
        self.start = start
        self.flow = flow
        self.anchor = anchor
        self.children: list[YamlNode] = []
        self.alias: tuple[int, int] | None = None
        """The last alias: how many children stood before it, and where it ends (what it means ends elsewhere)."""


_PROPERTY = re.compile(r"(?:&\S*|!(?:<[^>]*>|[^\s,\[\]{}]*))(?:\s|#[^\r\n]*)*")
_TAG = re.compile(r"!(?:<[^>]*>|[^\s,\[\]{}]*)")


class _Builder:
    """Builds the tree of one body; used once."""

    def __init__(self, shielded: Shielded, shift: int, budget: YamlBudget) -> None:
        self.shielded = shielded
        self.text = shielded.text
        self.shift = shift
        self.budget = budget
        self.diagnostics: list[Diagnostic] = []
        self.scalars: list[YamlScalar] = []
        self.has_comments = "#" in shielded.text
        self.is_simple = shielded.is_plain and not self.has_comments
        self.anchors = Anchors(self.diagnostics, budget, shielded.restore)

    def build(self) -> YamlNode | None:
        """The root of the first document.

        Raises:
            YAMLError: the text is not YAML.
            _LimitError: it is beyond the limits.
        """
        next_event = EventParser(self.text).get_event
        root = _Frame(0, False, None)
        stack = [root]
        children = root.children
        values = self.budget.values
        shift, is_simple = self.shift, self.is_simple
        while True:
            event: Any = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                text = event.value
                if is_simple and event.anchor is None and event.tag is None and len(text) <= MAX_NUMBER_LENGTH:
                    # Nearly all scalars of nearly all bodies; `_scalar` says what this does.
                    style = event.style or ""
                    value = text if style else resolve(text)
                    start, end = event.start_mark.index + shift, event.end_mark.index + shift
                    children.append(_new_tuple(YamlScalar, (text, value, style, start, end)))
                else:
                    children.append(self._scalar(event))
                values -= 1
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                frame = stack.pop()
                children = stack[-1].children
                children.append(self._close(frame, event, kind is MappingEndEvent))
                values -= 1
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                stack.append(self._open(event, len(stack)))
                children = stack[-1].children
            elif kind is AliasEvent:
                children.append(self._alias(event, stack))
                values -= 1
            elif kind is StreamEndEvent or (kind is DocumentStartEvent and root.children):
                break
            if values < 0:
                self._exhausted(event)
        self.budget.values = values
        if kind is DocumentStartEvent:
            self._second_document(event)
        return root.children[0] if root.children else None

    def check_controls(self, text: str) -> None:
        """Reports the first character that YAML does not have; it stays in the value."""
        found = CONTROL.search(text)
        if found:
            self.diagnostics.append(
                codes.YAML_SYNTAX.at(
                    Span(*found.span()).shift(self.shift),
                    f"the control character U+{ord(found[0]):04X} cannot stand in YAML",
                    help=f'remove it, or write "\\x{ord(found[0]):02x}" in double quotes',
                )
            )

    def _scalar(self, event: Any) -> YamlScalar:
        text: str = event.value
        style: str = event.style or ""
        start, end = event.start_mark.index, event.end_mark.index
        is_tagged = event.tag is not None
        if is_tagged or event.anchor is not None:
            start = self._skip_properties(event, start, end)
        text = self.shielded.restore(text)
        # A tag does not change what a value is, but a tagged scalar is surely meant to be what it looks like.
        value = text if style or is_tagged else resolve(text)
        node = YamlScalar(text, value, style, start + self.shift, end + self.shift)
        if len(text) > MAX_NUMBER_LENGTH and not style and is_oversized(text):
            self._report(node.span, codes.YAML_LIMIT, "a whole number is too long", "put it in quotes")
        if self.has_comments:
            self.scalars.append(node)
        if event.anchor is not None:
            self.anchors.define(event.anchor, node)
        return node

    def _alias(self, event: Any, stack: list[_Frame]) -> YamlNode:
        span = Span(event.start_mark.index, event.end_mark.index).shift(self.shift)
        stack[-1].alias = len(stack[-1].children), span.end
        return self.anchors.expand(event.anchor, span, depth=len(stack) - 1)

    def _open(self, event: Any, depth: int) -> _Frame:
        if depth > MAX_NESTING:
            self._give_up(event, f"values nest more than {MAX_NESTING} levels deep", "flatten the value")
        start = event.start_mark.index
        if event.anchor is not None or event.tag is not None:
            start = self._skip_properties(event, start, len(self.text))
            if event.anchor is not None:
                self.anchors.open(event.anchor)
        return _Frame(start + self.shift, bool(event.flow_style), event.anchor)

    def _close(self, frame: _Frame, event: Any, is_mapping: bool) -> YamlNode:
        children = frame.children
        # The end mark of a block collection is where the next token begins, beyond blank lines and comments.
        if frame.flow or not children:
            end = event.end_mark.index + self.shift
        elif frame.alias and frame.alias[0] == len(children) - 1:
            end = frame.alias[1]
        else:
            end = max(frame.start, children[-1].end)
        node: YamlNode
        if is_mapping:
            node = YamlMapping(self._pairs(children), frame.start, end)
        else:
            node = YamlSequence(tuple(children), frame.start, end)
        if frame.anchor is not None:
            self.anchors.define(frame.anchor, node)
        return node

    def _pairs(self, children: list[YamlNode]) -> tuple[tuple[YamlScalar, YamlNode], ...]:
        """The pairs of a mapping, without those whose key is a collection or was there before."""
        keys = children[0::2]
        pairs = tuple(zip(keys, children[1::2], strict=True))
        if len({key.text for key in keys if type(key) is YamlScalar and type(key.value) is str}) == len(keys):
            return cast("tuple[tuple[YamlScalar, YamlNode], ...]", pairs)
        kept: dict[str, tuple[YamlScalar, YamlNode]] = {}
        for key, value in pairs:
            if not isinstance(key, YamlScalar):
                self._collection_as_key(key)
                continue
            if key.text in kept:
                message = f'the key "{shown(key.text)}" stands here twice'
                self._report(key.span, codes.DUPLICATE_KEY, message, "remove one of the two")
                continue
            if not isinstance(key.value, str):
                message = f"the key {shown(key.text)} is no text" if key.text else "a key is empty"
                self._report(key.span, codes.WRONG_TYPE, message, f'put it in quotes: "{shown(key.text)}"')
            kept[key.text] = key, value
        return tuple(kept.values())

    def _collection_as_key(self, key: YamlNode) -> None:
        if self.text.startswith("{{", key.start - self.shift - 1):
            words = "a template stands without quotes, so YAML takes it for a mapping", 'put it in quotes: "{{ x }}"'
        else:
            words = "a key is a list or mapping", "use plain words as keys"
        self._report(key.span, codes.WRONG_TYPE, *words)

    def _skip_properties(self, event: Any, start: int, end: int) -> int:
        """Where a value begins behind its anchor and tag; a tag is reported."""
        while start < end and self.text[start] in "&!":
            if self.text[start] == "!" and (tag := _TAG.match(self.text, start)):
                span = Span(*tag.span()).shift(self.shift)
                self._report(
                    span, codes.YAML_TAG, f'the tag "{self.shielded.restore(tag[0])}" is used', "remove the tag"
                )
            found = _PROPERTY.match(self.text, start)
            start = found.end() if found else end
        is_empty = isinstance(event, ScalarEvent) and not event.value and not event.style
        return end if is_empty else min(start, end)

    def _second_document(self, event: Any) -> None:
        span = Span(event.start_mark.index, event.end_mark.index).shift(self.shift)
        self._report(
            span,
            codes.NOT_ONE_DOCUMENT,
            "a second YAML document begins here; a block holds one",
            "give it a heading and a fence of its own",
        )

    def _exhausted(self, event: Any) -> NoReturn:
        """The document holds too many values: said once, not for every block that follows."""
        if self.budget.values < 0:
            raise _LimitError
        self.budget.values = -1
        self._give_up(event, f"the document holds more than {MAX_VALUES:,} values", "split the document")

    def _give_up(self, event: Any, message: str, remedy: str) -> NoReturn:
        at = min(event.start_mark.index, max(len(self.text) - 1, 0)) + self.shift
        self._report(Span(at, at + 1), codes.YAML_LIMIT, message, remedy)
        raise _LimitError

    def _report(self, span: Span, code: Any, message: str, remedy: str) -> None:
        self.diagnostics.append(code.at(span, message, help=remedy))
