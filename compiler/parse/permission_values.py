"""Readers of permissions and of requirements."""

from __future__ import annotations

from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.ast import Requirement
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.reading import Absent, Reading, items_of, read_data
from agentic_dsl.compiler.parse.reference import parse_path, parse_range
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.node_table import FieldSpec
from agentic_dsl.permission import PERMISSION_KINDS, Permission
from agentic_dsl.signature import Data
from agentic_dsl.span import Span, SpanPath


def read_permissions(
    reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath
) -> tuple[Permission, ...] | Absent:
    """A list of permissions in either form; one may stand without the list."""
    reading.values[path] = Span(node.start, node.end)
    permissions = []
    for index, item in enumerate(items_of(node)):
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
    permission = parse_permission(node.text)
    if isinstance(permission, Problem):
        reading.problem(codes.BAD_PERMISSION, node, permission)
        return None
    return replace(permission, span=node.span)


def _permission_of_mapping(reading: Reading, node: YamlMapping, path: SpanPath) -> Permission | None:
    """``{tool: web_search, scope: read_only}``, or with options below, as ``{generate_subgraph: {max_depth: 2}}``."""
    kinds = [(key, value) for key, value in node.pairs if key.text in PERMISSION_KINDS]
    if len(kinds) != 1:
        message = "a permission names two kinds" if kinds else "a permission names no kind"
        help = "make each a permission of its own" if kinds else f"begin it with one of: {', '.join(PERMISSION_KINDS)}"
        reading.report(codes.BAD_PERMISSION, kinds[1][0].span if kinds else node.span, message, help)
        return None
    data = read_data(reading, node, path)
    assert isinstance(data, dict)  # what a YamlMapping is read as
    key, value = kinds[0]
    options = {name: option for name, option in data.items() if name != key.text}
    match data[key.text]:
        case str(name):
            return Permission(key.text, name, options, node.span)
        case None | True:
            return Permission(key.text, None, options, node.span)
        case dict(below):
            inner, narrower = _named_inside(below)
            return Permission(key.text, inner, narrower | options, node.span)
    message = f'the permission "{key.text}" names {kind_of(value)}; a name or a mapping is wanted'
    reading.report(codes.BAD_PERMISSION, value.span, message, "write one permission for each name")
    return None


def _named_inside(below: dict[str, Data]) -> tuple[str | None, dict[str, Data]]:
    """The name and options of ``{outbound: {domains: […]}}``; without a nested mapping all of it is options."""
    if len(below) == 1:
        [(name, options)] = below.items()
        if isinstance(options, dict):
            return name, options
    return None, below


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
        requirement = _requirement(value) if isinstance(value, YamlScalar) else None
        if requirement is None:
            _bad_requirement(reading, value or item)
        else:
            requirements.append(requirement)
    return tuple(requirements)


def _requirement(node: YamlScalar) -> Requirement | None:
    text, at, wanted = node.text.partition("@")
    path = parse_path(text)
    version_range = parse_range(wanted.removeprefix("v")) if at else None
    if path is None or not path.is_library or (at and version_range is None):
        return None
    return Requirement(path, version_range, node.span)


def _bad_requirement(reading: Reading, node: YamlNode) -> None:
    text = shown(node.text) if isinstance(node, YamlScalar) else kind_of(node)
    message = f'a requirement of {reading.subject} is no library path with a range: "{text}"'
    reading.report(codes.BAD_PATH, node.span, message, 'write {lib: "/lib/reasoning/x@^1.0"}')
