"""Readers of permissions and of requirements."""

from __future__ import annotations

from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.ast import Requirement
from agentic_dsl.compiler.parse.permission import parse_permission, permission_of
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.reading import Absent, Reading, items_of, read_data
from agentic_dsl.compiler.parse.reference import parse_requirement
from agentic_dsl.compiler.parse.text_limits import MAX_PERMISSIONS
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.node_table import FieldSpec
from agentic_dsl.permission import Permission
from agentic_dsl.span import Span, SpanPath


def read_permissions(
    reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath
) -> tuple[Permission, ...] | Absent:
    """A list of permissions in either form; one may stand without the list."""
    reading.values[path] = Span(node.start, node.end)
    permissions = []
    items = items_of(node)
    if len(items) > MAX_PERMISSIONS:
        message = f"{reading.subject} lists {len(items):,} permissions; the limit is {MAX_PERMISSIONS:,}"
        reading.report(codes.TEXT_LIMIT, items[MAX_PERMISSIONS].span, message, "ask for less, or split the block")
    for index, item in enumerate(items[:MAX_PERMISSIONS]):
        reading.values[(*path, index)] = Span(item.start, item.end)
        if isinstance(item, YamlMapping):
            permission = _permission_of_mapping(reading, item, (*path, index))
        elif isinstance(item, YamlScalar) and isinstance(item.value, str):
            permission = _permission_of_text(reading, item)
        else:
            message = f"a permission of {reading.subject} is {kind_of(item)}; text or a mapping is wanted"
            reading.report(codes.WRONG_TYPE, item.span, message, 'write it as "tool: web_search"')
            permission = None
        if permission is not None:
            permissions.append(permission)
    return tuple(permissions)


def _permission_of_text(reading: Reading, node: YamlScalar) -> Permission | None:
    if not reading.admits(node):
        return None
    permission = parse_permission(node.text)
    if isinstance(permission, Problem):
        reading.problem(codes.BAD_PERMISSION, node, permission)
        return None
    return replace(permission, span=node.span)


def _permission_of_mapping(reading: Reading, node: YamlMapping, path: SpanPath) -> Permission | None:
    data = read_data(reading, node, path)
    assert isinstance(data, dict)  # what a YamlMapping is read as
    permission = permission_of(data)
    if isinstance(permission, Permission):
        return replace(permission, span=node.span)
    key, value = next((pair for pair in node.pairs if pair[0].text == permission.key), (node, node))
    place = value if permission.in_value else key
    if isinstance(place, YamlScalar):
        reading.problem(codes.BAD_PERMISSION, place, permission)
    else:
        reading.report(codes.BAD_PERMISSION, place.span, permission.message, permission.help)
    return None


def read_requirements(
    reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath
) -> tuple[Requirement, ...] | Absent:
    """``[{lib: "/lib/reasoning/x@^1.0"}]``; the text alone is accepted too."""
    reading.values[path] = Span(node.start, node.end)
    requirements = []
    for index, item in enumerate(items_of(node)):
        reading.values[(*path, index)] = Span(item.start, item.end)
        value: YamlNode | None = item
        if isinstance(item, YamlMapping):
            value = None
            for key, below in item.pairs:
                reading.keys[(*path, index, key.text)] = Span(key.start, key.end)
                if key.text == "lib":
                    value = below
                else:
                    report_unknown_key(reading, key, f"a requirement of {reading.subject}", ("lib",))
        if isinstance(value, YamlScalar):
            if not reading.admits(value):
                break
            found = parse_requirement(value.text)
            if isinstance(found, Problem):
                reading.problem(codes.BAD_PATH, value, found)
            else:
                requirements.append(Requirement(*found, value.span))
        else:
            place = value or item
            message = f"a requirement of {reading.subject} is {kind_of(place)}; a library path is wanted"
            reading.report(codes.BAD_PATH, place.span, message, 'write {lib: "/lib/reasoning/x@^1.0"}')
    return tuple(requirements)
