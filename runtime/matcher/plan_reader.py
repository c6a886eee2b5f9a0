"""`Constraints` → `Plan`: what they mean for the tracker. What no document satisfies is refused as `compile` does."""

from __future__ import annotations

from dataclasses import replace

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.grammar.feasibility import Reach, require_feasible
from agentic_dsl.compiler.grammar.request import read_request
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.reference import parse_reference, parse_version
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.compiler.resolution import Resolver, TargetKind, stated_callee
from agentic_dsl.compiler.standard_library import standard_library
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format_values import is_plain
from agentic_dsl.node_table import ToolCall
from agentic_dsl.paths import GENERATED_END, Layer
from agentic_dsl.permission import Permission
from agentic_dsl.runtime.matcher.catalogue import PlannedTool, plan_tools
from agentic_dsl.runtime.matcher.context import Env
from agentic_dsl.runtime.matcher.node_lines import lines_of
from agentic_dsl.runtime.matcher.plan import BEGIN, Plan, PlannedCall, PlannedPermission
from agentic_dsl.signature import Signature


def read_plan(constraints: Constraints) -> Plan:
    """See `Plan.of`."""
    request = read_request(constraints)
    tools = plan_tools(constraints)
    if tools == ():  # of each tool some required argument has no value that its schema surely allows
        request = replace(request, types=tuple(name for name in request.types if name != ToolCall.TYPE))
    require_feasible(request)
    reach = Reach.of(request)
    signature = request.signature
    context = constraints.context
    given = tuple(context.available_vars) if context is not None else ()
    inputs = tuple(parameter.name for parameter in signature.inputs) if signature is not None else ()
    resolver = _resolver(constraints)
    ends, outside = _ends(constraints, resolver)
    return Plan(
        constraints=constraints,
        types=reach.types,
        signature=signature,
        signature_text=request.signature_text,
        writes_signature=signature is None and constraints.block_path.is_library,
        required=frozenset(reach.wanted),
        begin=Env(dict.fromkeys((*given, *inputs), BEGIN)),
        ends=ends,
        outside=outside,
        calls=_calls(constraints, resolver),
        tools=tools,
        permissions=_permissions(request.permissions, constraints, tools),
        reserved=reach.reserved,
        obtainable=reach.obtainable,
        block_words=reach.block_words,
        limit=reach.limit,
        further_limit=reach.further.limit,
        lines={name: lines_of(name) for name in reach.types},
    )


def _resolver(constraints: Constraints) -> Resolver:
    """What references from the block can point at, the block itself aside."""
    document = Document(blocks=(Subgraph(path=constraints.block_path, nodes=()),))
    stated = tuple(
        stated_callee(
            spec.path,
            found if isinstance(found := parse_signature(spec.signature), Signature) else None,
            parse_version(spec.version) if spec.version else None,
        )
        for spec in constraints.libraries
    )
    return Resolver(document, {}, stated, frozenset(constraints.targets), standard_library().by_path)


def _calls(constraints: Constraints, resolver: Resolver) -> tuple[PlannedCall, ...]:
    """The library entries that can be called, by what a reference to each of them reaches."""
    calls = []
    for spec in constraints.libraries:
        if spec.path == constraints.path:
            continue  # the block itself, which is not finished while it is written
        target = resolver.resolve(parse_reference(spec.reference), 0)
        signature = target.call.signature if target.kind is TargetKind.CALL and target.call is not None else None
        if signature is None:
            raise ConstraintError(
                f'the signature of the library "{spec.path}" cannot be read: "{spec.signature}"',
                help='write it as "(a: string, b?: integer) -> {c: string}"',
            )
        inputs = tuple((p.name, p.type.name, p.required) for p in signature.inputs)
        unsure = tuple(p.name for p in signature.outputs if not p.required)
        calls.append(PlannedCall(spec.reference, inputs, signature.required_outputs, unsure))
    return tuple(sorted(calls, key=lambda call: call.reference))


def _ends(constraints: Constraints, resolver: Resolver) -> tuple[tuple[str, ...], frozenset[str]]:
    """The references that end a path, shortest first, and those of them that are no system targets."""
    ends: dict[str, bool] = {}
    namespace = constraints.block_path.namespace
    knowledge = namespace is not None and namespace.layer is Layer.KNOWLEDGE
    for text in (GENERATED_END, *constraints.targets):
        reference = parse_reference(text)
        kind = resolver.resolve(reference, 0).kind
        outside = kind is TargetKind.OUTSIDE
        is_own = text == constraints.path
        leaves = knowledge and outside and not (reference.path is not None and reference.path.is_library)
        if kind in (TargetKind.SYSTEM, TargetKind.OUTSIDE) and not is_own and not leaves:
            ends[text] = outside
    ordered = tuple(sorted(ends, key=lambda text: (len(text), text)))
    return ordered, frozenset(text for text, outside in ends.items() if outside)


def _permissions(
    texts: tuple[str, ...], constraints: Constraints, tools: tuple[PlannedTool, ...] | None
) -> tuple[PlannedPermission, ...]:
    """What a block may ask for. A tool that cannot be called is left out, for asking for it would forbid the others."""
    found = []
    for text in texts:
        permission = parse_permission(text)
        if not isinstance(permission, Permission):
            continue  # reading the request has refused it
        if permission.kind == ToolCall.TYPE.split("_")[0] and not _is_callable(permission, tools):
            continue
        if permission.kind == "runtime" and not _is_plain(permission.name):
            continue
        if permission.name is not None and len(permission.name) > constraints.max_text_chars:
            continue
        found.append(PlannedPermission(text, permission.kind, permission.name))
    return tuple(found)


def _is_callable(permission: Permission, tools: tuple[PlannedTool, ...] | None) -> bool:
    if permission.name is None:
        return True
    return _is_plain(permission.name) if tools is None else any(tool.name == permission.name for tool in tools)


def _is_plain(name: str | None) -> bool:
    return name is None or is_plain(name)
