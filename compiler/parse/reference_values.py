"""Readers of references: ``next``, branches, ``wait_for`` and handlers."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.parse.reading import ABSENT, Absent, Reading, called, is_null, items_of
from agentic_dsl.compiler.parse.reference import form_by_pattern, parse_reference, reference_problem
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar, YamlSequence
from agentic_dsl.node_table import FieldSpec, WaitFor
from agentic_dsl.paths import Reference, ReferenceKind
from agentic_dsl.span import Span, SpanPath

_MODES = ("all_of", "any_of")

_SHORT = 4096
"""Longer references are counted before they are read."""

_SLOW = (ReferenceKind.INVALID, ReferenceKind.TEMPLATE)
"""What the pattern for common references cannot be, beside those with a query."""


def read_reference(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> Reference | Absent:
    """One reference; a list of one is accepted."""
    if isinstance(node, YamlSequence) and len(node.items) == 1:
        node = node.items[0]
    if is_null(node):
        return ABSENT
    if isinstance(node, YamlSequence):
        reading.wrong_type(spec, node, "one reference", "name one target")
        return ABSENT
    return _reference(reading, spec, node, path)


def read_references(
    reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath
) -> tuple[Reference, ...] | Absent:
    """A list of references; one may stand without the list, and each may be written ``{path: …}``."""
    reading.values[path] = Span(node.start, node.end)
    references = []
    items = items_of(node)
    for index, item in enumerate(items):
        reference = _reference(reading, spec, item, (*path, index))
        if reference is not ABSENT:
            references.append(reference)
    return tuple(references) if references or not items else ABSENT


def read_sources(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> tuple[Reference, ...] | Absent:
    """The references of a join, which may also be written as any other node's ``wait_for``."""
    mode = _mode_of(node)
    if mode is None:
        return read_references(reading, spec, node, path)
    key, below = mode
    if key.text != "all_of":
        reading.report(
            codes.WRONG_VALUE,
            key.span,
            f'{reading.subject} waits for "{key.text}", but a join waits for all of its sources',
            'write "all_of"',
        )
    return read_references(reading, spec, below, path)


def read_wait_for(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> WaitFor | Absent:
    """References, ``{all_of: …}``, ``{any_of: …}`` or one template."""
    if is_null(node):
        return ABSENT
    mode = _mode_of(node)
    below = mode[1] if mode else node
    references = read_references(reading, spec, below, path)
    if references is ABSENT or not references:
        return ABSENT
    return WaitFor(references, "any_of" if mode and mode[0].text == "any_of" else "all_of")


def _mode_of(node: YamlNode) -> tuple[YamlScalar, YamlNode] | None:
    """The one pair of ``{all_of: […]}``."""
    if isinstance(node, YamlMapping) and len(node.pairs) == 1 and node.pairs[0][0].text in _MODES:
        return node.pairs[0]
    return None


def _reference(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> Reference | Absent:
    if isinstance(node, YamlScalar) and isinstance(node.value, str):
        # Nearly all references; the rest of this is for the others.
        span = reading.values[path] = Span(node.start, node.end)
        return _parsed(reading, node, span)
    if isinstance(node, YamlMapping):
        node = _path_of(reading, spec, node)
    if not isinstance(node, YamlScalar) or node.value is None:
        message = f'a target in "{called(spec)}" of {reading.subject} is {kind_of(node)}; a reference is wanted'
        reading.report(codes.WRONG_TYPE, node.span, message, "write a path or an id")
        return ABSENT
    span = Span(node.start, node.end)
    reading.values[path] = span
    if not isinstance(node.value, str):
        message = f'a target in "{called(spec)}" of {reading.subject} is {kind_of(node)}; a reference is wanted'
        reading.report(codes.WRONG_TYPE, span, message, f'put it in quotes: "{shown(node.text)}"')
    return _parsed(reading, node, span)


def _parsed(reading: Reading, node: YamlScalar, span: Span) -> Reference:
    if (len(node.text) > _SHORT or reading.texts.left < 0) and form_by_pattern(node.text) is None:
        # Asked before it is read: nothing else bounds the length of one text.
        if not reading.admits(node):
            return Reference(node.text, ReferenceKind.INVALID, span=span)
        reference = parse_reference(node.text, span)
    else:
        reference = parse_reference(node.text, span)
        if reference.query or reference.kind in _SLOW:
            reading.admits(node)
    if reference.kind is ReferenceKind.INVALID:
        reading.problem(codes.BAD_REFERENCE, node, reference_problem(node.text))
    return reference


def _path_of(reading: Reading, spec: FieldSpec, node: YamlMapping) -> YamlNode:
    """What ``{path: …}`` means; other keys beside ``path`` have no meaning."""
    pairs = {key.text: (key, value) for key, value in node.pairs}
    if "path" not in pairs:
        return node
    for key, _ in node.pairs:
        if key.text != "path":
            report_unknown_key(reading, key, f'a target in "{called(spec)}" of {reading.subject}', ("path",))
    return pairs["path"][1]
