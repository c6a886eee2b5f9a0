"""Permissions and resources: nobody has more than whoever lets them run (``language.md`` §3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentic_dsl import codes
from agentic_dsl.ast import ResourceEntry, Resources
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.schemas import is_template
from agentic_dsl.compiler.library import LibraryEntry
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.constraints import MAX_TOOLS
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import AnyNode, CodeletCall, ToolCall
from agentic_dsl.permission import Permission
from agentic_dsl.span import NOWHERE, Span

_RESOURCE_OF = {
    "tool": "tool",
    "runtime": "runtime",
    "network": "network",
    "memory": "memory",
    "kg": "knowledge_graph",
    "generate_subgraph": "generate_subgraph",
    "reasoning": "reasoning",
}
"""Kind of permission → type of the resource that provides it. The other kinds have no resource."""


def used(node: AnyNode) -> tuple[str, str, str] | None:
    """What a node reaches by name: kind, name, attribute; None where it reaches nothing or a template decides."""
    match node:
        case ToolCall() if not is_template(node.tool):
            return ("tool", node.tool, "tool")
        case CodeletCall() if not is_template(node.runtime):
            return ("runtime", node.runtime, "runtime")
        case _:
            return None


def check_permissions(context: CheckContext) -> Iterator[Diagnostic]:
    """A node asks for no more than its subgraph has, and uses no more than both grant."""
    held = tuple(Held(block.permissions) for block in context.resolver.blocks)
    for place in context.graph.places:
        node, granted = place.node, held[place.block]
        if node.permissions and granted and not place.subgraph.single:
            for position, asked in enumerate(node.permissions):
                if not granted.cover(asked):
                    yield codes.PERMISSION_EXCEEDED.at(
                        span_of(asked, node.at("permissions", position)),
                        f'node "{node.id}" asks for {describe(asked)}, which "{place.subgraph.path}" does not have',
                        help="drop it, or add it to the permissions of the block",
                    )
        if (reached := used(node)) is not None and reached[1]:
            yield from _check_use(place, *reached)


class Held:
    """Permissions, grouped so that one is compared only with those that may cover it."""

    def __init__(self, permissions: Iterable[Permission]) -> None:
        self._groups: dict[tuple[str, str | None], list[Permission]] = {}
        for permission in permissions:
            self._groups.setdefault((permission.kind, permission.name), []).append(permission)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def cover(self, asked: Permission) -> bool:
        """Whether whoever holds them holds ``asked`` too."""
        names = (asked.name, None)
        return any(held.covers(asked) for name in names for held in self._groups.get((asked.kind, name), ()))


def _check_use(place: Place, kind: str, name: str, attribute: str) -> Iterator[Diagnostic]:
    """What a node uses is among what is granted by name, where something of that kind is granted at all."""
    for held, owner in ((place.node.permissions, "itself"), (place.subgraph.permissions, f'"{place.subgraph.path}"')):
        granted = [permission for permission in held if permission.kind == kind]
        if granted and not any(permission.name in (None, name) for permission in granted):
            names = ", ".join(f'"{permission.name}"' for permission in granted)
            owned = "its own permissions grant" if owner == "itself" else f"{owner} grants"
            yield codes.PERMISSION_EXCEEDED.at(
                place.node.at(attribute),
                f'node "{place.node.id}" uses the {kind} "{name}", but {owned} only {names}',
                help=f'add "{kind}: {name}" to the permissions',
            )
            return


def span_of(permission: Permission, otherwise: Span) -> Span:
    """Where a permission stands."""
    return permission.span if permission.span != NOWHERE else otherwise


def describe(permission: Permission) -> str:
    """A permission in words."""
    what = permission.kind if permission.name is None else f"{permission.kind}: {permission.name}"
    options = ", ".join(f"{key} {_in_words(value)}" for key, value in permission.options.items())
    return f'the permission "{what}"' + (f" with {options}" if options else "")


def _in_words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)


def check_resources(context: CheckContext) -> Iterator[Diagnostic]:
    """Tools and runtimes that are used are declared, where the document declares any."""
    resources = context.document.resources
    if resources is None:
        yield from _check_undeclared_application(context)
        return
    tools = [entry for entry in resources.entries if entry.type == "tool"]
    if len(tools) > MAX_TOOLS:
        yield codes.TOO_MANY_TOOLS.at(
            resources.path_span,
            f"the document declares {len(tools):,} tools; the limit is {MAX_TOOLS:,}",
            help="declare only the tools that the document uses",
        )
    declared = {(entry.type, entry.name) for entry in resources.entries}
    for place in context.graph.places:
        reached = used(place.node)
        if reached is None or not reached[1] or reached[:2] in declared or _given_by_caller(context, *reached[:2]):
            continue
        kind, name, attribute = reached
        yield codes.UNDECLARED_RESOURCE.at(
            place.node.at(attribute),
            f'node "{place.node.id}" uses the {kind} "{name}", which /__meta__/resources does not declare',
            help=context.suggester.help(
                name,
                (entry.name for entry in resources.entries if entry.type == kind and entry.name),
                f"declare the {kind} in /__meta__/resources",
            ),
        )
    yield from _check_called_libraries(context, resources)


def _given_by_caller(context: CheckContext, kind: str, name: str) -> bool:
    """Whether the constraints declare a tool; they stand in for the resources of the application."""
    tools = context.constraints.tools if context.constraints else None
    return kind == "tool" and tools is not None and any(tool.name == name for tool in tools)


def _check_undeclared_application(context: CheckContext) -> Iterator[Diagnostic]:
    if context.application is None or not context.in_production:
        return
    for place in context.graph.places:
        if isinstance(place.node, ToolCall):
            yield codes.NO_RESOURCES.at(
                place.node.at("tool"),
                f'node "{place.node.id}" calls a tool, but the application declares no resources',
                help="add a block /__meta__/resources that lists the tools",
            )
            return


def _check_called_libraries(context: CheckContext, resources: Resources) -> Iterator[Diagnostic]:
    """What the libraries that are called need is declared; each library is judged once, at its first call."""
    judged: set[str] = set()
    for link in context.graph.links:
        call = link.target.call
        if link.target.kind is not TargetKind.CALL or call is None or call.entry is None or call.path in judged:
            continue
        judged.add(call.path)
        for permission in _needs(call.entry):
            if _provided(permission, resources):
                continue
            yield codes.UNDECLARED_RESOURCE.at(
                context.span_of(link),
                f'library "{call.path}" needs {describe(permission)}, which /__meta__/resources does not declare',
                help="declare it in /__meta__/resources",
            )


def _needs(entry: LibraryEntry) -> tuple[Permission, ...]:
    """What a library entry states that it needs, without what no resource provides."""
    return tuple(permission for permission in entry.permissions if permission.kind in _RESOURCE_OF)


def _provided(permission: Permission, resources: Resources) -> bool:
    return any(
        entry.type == _RESOURCE_OF[permission.kind] and _as_permission(entry, permission.kind, permission)
        for entry in resources.entries
    )


def _as_permission(entry: ResourceEntry, kind: str, asked: Permission) -> bool:
    """Whether a resource entry provides what a permission of its kind asks for."""
    match kind:
        case "tool" | "runtime":
            return asked.name in (None, entry.name)
        case "reasoning":
            capabilities = entry.options.get("capabilities")
            return asked.name is None or not isinstance(capabilities, list | tuple) or asked.name in capabilities
        case "generate_subgraph":
            depth, wanted = entry.options.get("max_depth"), asked.options.get("max_depth")
            if not isinstance(depth, int) or not isinstance(wanted, int) or depth < 0:
                return True
            return 0 <= wanted <= depth  # -1 asks for any depth
        case _:
            return True
