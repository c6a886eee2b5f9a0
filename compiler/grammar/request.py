"""What one request allows, read from its `Constraints` once: node types, tools, calls, and texts in canonical form.

Whatever of the constraints cannot be understood is refused here, before any rule is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentic_dsl.compiler.grammar.references import LibraryCall
from agentic_dsl.compiler.grammar.schema import ToolParameters, tool_parameters
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.constraints import Constraints, LibrarySpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format_contracts import permission_data, signature_data
from agentic_dsl.node_table import GENERATED_TYPES, NODE_TABLE, GenerateSubgraph, ToolCall
from agentic_dsl.paths import Layer
from agentic_dsl.signature import Signature


@dataclass(frozen=True, slots=True)
class Request:
    """What one answer may hold.

    Attributes:
        constraints: as given.
        types: node types, in the order of the node table.
        tools: name → what its schema asks for, sorted by name; None is any tool.
        calls: library entries that may be called, sorted by reference.
        libraries: signatures of those entries, by reference.
        signature: the signature asked for, None where none is.
        signature_text: the same in canonical form.
        permissions: canonical texts of what is granted, in the order given.
        unwritable: granted permissions that no line can show; so no block asks for them.
    """

    constraints: Constraints
    types: tuple[str, ...]
    tools: Mapping[str, ToolParameters] | None
    calls: tuple[LibraryCall, ...]
    libraries: Mapping[str, Signature]
    signature: Signature | None
    signature_text: str | None
    permissions: tuple[str, ...]
    unwritable: tuple[str, ...]


def read_request(constraints: Constraints) -> Request:
    """The request that the constraints state.

    Raises:
        ConstraintError: a schema, signature or permission cannot be read or written.
    """
    tools = None
    if constraints.tools is not None:
        tools = {tool.name: tool_parameters(tool) for tool in sorted(constraints.tools, key=lambda tool: tool.name)}
    libraries = {spec.reference: _library_signature(spec) for spec in constraints.libraries}
    signature, text = (None, None) if constraints.signature is None else _signature(constraints.signature)
    permissions, unwritable = _permissions(constraints.permissions)
    return Request(
        constraints=constraints,
        types=node_types(constraints),
        tools=tools,
        calls=tuple(LibraryCall(name, tuple(p.name for p in libraries[name].inputs)) for name in sorted(libraries)),
        libraries=libraries,
        signature=signature,
        signature_text=text,
        permissions=permissions,
        unwritable=unwritable,
    )


def node_types(constraints: Constraints) -> tuple[str, ...]:
    """The node types that an answer may hold: those allowed, less what layer, tools and depth rule out."""
    return tuple(name for name in GENERATED_TYPES if excluded_by(name, constraints) is None)


def excluded_by(node_type: str, constraints: Constraints) -> str | None:
    """Which constraint rules a node type out, in words; None where it is allowed."""
    allowed = constraints.allowed_node_types
    if allowed is not None and node_type not in allowed:
        return "allowed_node_types does not name it"
    namespace = constraints.block_path.namespace
    if namespace is not None and namespace.layer is Layer.KNOWLEDGE and NODE_TABLE[node_type].reaches_out:
        return f'"{constraints.path}" is a layer-3 library, which reaches out through /lib calls only'
    if node_type == ToolCall.TYPE and constraints.tools == ():
        return "no tool is allowed"
    if node_type == GenerateSubgraph.TYPE and constraints.max_subgraph_depth == 0:
        return "max_subgraph_depth is 0"
    return None


def _library_signature(spec: LibrarySpec) -> Signature:
    found = parse_signature(spec.signature)
    if isinstance(found, Problem):
        raise ConstraintError(f'the signature of the library "{spec.reference}": {found.message}', help=found.help)
    return found


def _signature(text: str) -> tuple[Signature, str]:
    found = parse_signature(text)
    if isinstance(found, Problem):
        raise ConstraintError(f"the signature asked for: {found.message}", help=found.help)
    printed = signature_data(found)
    if not isinstance(printed, str):
        raise ConstraintError(
            f'the signature asked for, "{text}", cannot be printed on one line',
            help="drop the defaults and values that do not fit their types",
        )
    return found, printed


def _permissions(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Canonical texts of permissions, and those that only a mapping of several lines can show."""
    shown: dict[str, None] = {}
    hidden: list[str] = []
    for text in texts:
        found = parse_permission(text)
        if isinstance(found, Problem):
            raise ConstraintError(f'the permission "{text}": {found.message}', help=found.help)
        printed = permission_data(found)
        if isinstance(printed, str):
            shown[printed] = None
        else:
            hidden.append(text)
    return tuple(shown), tuple(hidden)
