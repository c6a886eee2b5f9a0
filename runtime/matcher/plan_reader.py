"""`Constraints` → `Plan`: what they mean for the tracker, and why they may admit no document."""

from __future__ import annotations

import re

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.grammar.request import node_types, read_request
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.reference import parse_reference, parse_version
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.compiler.resolution import Resolver, TargetKind, stated_callee
from agentic_dsl.compiler.standard_library import standard_library
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import (
    Assert,
    Assign,
    CodeletCall,
    ToolCall,
)
from agentic_dsl.paths import GENERATED_END, Layer
from agentic_dsl.permission import Permission
from agentic_dsl.runtime.matcher.blocks import highest
from agentic_dsl.runtime.matcher.catalogue import PlannedTool, plan_tools
from agentic_dsl.runtime.matcher.context import Env
from agentic_dsl.runtime.matcher.node_lines import lines_of
from agentic_dsl.runtime.matcher.open_words import WORD, can_begin
from agentic_dsl.runtime.matcher.plan import BEGIN, END_ID, SHORTEST_TEMPLATE, Plan, PlannedCall, PlannedPermission
from agentic_dsl.runtime.matcher.queries import has_literal
from agentic_dsl.signature import Signature


def read_plan(constraints: Constraints) -> Plan:
    """See `Plan.of`."""
    request = read_request(constraints)
    signature = request.signature
    tools = plan_tools(constraints, len(SHORTEST_TEMPLATE))
    types = _types(constraints, tools)
    context = constraints.context
    given = tuple(context.available_vars) if context is not None else ()
    inputs = tuple(parameter.name for parameter in signature.inputs) if signature is not None else ()
    required = frozenset(signature.required_outputs if signature is not None else ())
    if context is not None:
        required |= frozenset(context.required_outputs)
    resolver = _resolver(constraints)
    ends, outside = _ends(constraints, resolver)
    reserved = _reserved(constraints)
    calls = _calls(constraints, resolver)
    plan = Plan(
        constraints=constraints,
        types=types,
        signature=signature,
        signature_text=request.signature_text,
        writes_signature=signature is None and constraints.block_path.is_library,
        required=required,
        begin=Env(dict.fromkeys((*given, *inputs), BEGIN)),
        ends=ends,
        outside=outside,
        calls=calls,
        tools=tools,
        permissions=_permissions(request.permissions, constraints, tools),
        reserved=reserved,
        obtainable=frozenset(name for call in calls if _has_literals(call, constraints) for name in call.outputs),
        block_words=_block_words(constraints),
        limit=_limit(constraints, types, reserved),
        further_limit=_limit(constraints, types, frozenset()),
        lines={name: lines_of(name) for name in types},
    )
    _refuse_impossible(plan)
    return plan


def _types(constraints: Constraints, tools: tuple[PlannedTool, ...] | None) -> tuple[str, ...]:
    """The types of which a node can be finished under the constraints."""
    kept = []
    for name in node_types(constraints):
        if name == ToolCall.TYPE and tools == ():
            continue
        if name == Assert.TYPE and constraints.max_text_chars < len(SHORTEST_TEMPLATE):
            continue
        kept.append(name)
    return tuple(kept)


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
        calls.append(PlannedCall(spec.reference, inputs, signature.required_outputs))
    return tuple(sorted(calls, key=lambda call: call.reference))


def _has_literals(call: PlannedCall, constraints: Constraints) -> bool:
    """Whether a call can be made whatever the context holds."""
    return all(not required or has_literal(kind, constraints.max_text_chars) for _, kind, required in call.inputs)


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


def _below(constraints: Constraints) -> list[str]:
    """The targets and libraries that stand below the path of the answer, from there on."""
    prefix = f"{constraints.path}/"
    named = (*constraints.targets, *(spec.path for spec in constraints.libraries))
    return [name.removeprefix(prefix) for name in named if name.startswith(prefix)]


def _reserved(constraints: Constraints) -> frozenset[str]:
    """Ids that would make a node of the first block stand in the place of a target or library."""
    return frozenset(_below(constraints))


def _block_words(constraints: Constraints) -> frozenset[str]:
    """Words that would make a further block stand in the place of a target or library, or above one."""
    return frozenset(re.split("[/?@]", name, maxsplit=1)[0] for name in _below(constraints))


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
    from agentic_dsl.format_values import is_plain

    return name is None or is_plain(name)


def _limit(constraints: Constraints, types: tuple[str, ...], reserved: frozenset[str]) -> int:
    """The nodes that one block can have. Where no type can end a path, a second node could never be closed."""
    if not set(types) - {"start", "fork"}:
        return 1
    taken = {*YAML_WORDS, *reserved, END_ID}
    most = constraints.max_identifier_chars
    free = WORD.count(0, most) - sum(len(word) <= most for word in taken)
    return min(constraints.max_nodes, max(free, 1))


def _refuse_impossible(plan: Plan) -> None:
    """Raises where no document satisfies the constraints, with the reason."""
    from agentic_dsl.runtime.matcher.headers import start
    from agentic_dsl.runtime.matcher.nodes import types
    from agentic_dsl.runtime.matcher.state import Draft

    constraints = plan.constraints
    missing = [name for name in sorted(plan.required) if name not in plan.begin and name not in plan.obtainable]
    if unwritable := [name for name in missing if not plan.is_key(name)]:
        raise ConstraintError(
            f'no node can write the required output "{unwritable[0]}": keys are lower-case words of at most '
            f"{plan.max_word} characters that no YAML reader takes for a value",
            help="rename it, or declare it in the context",
        )
    if missing and not plan.writes:
        raise ConstraintError(
            f'no allowed node type writes the required output "{missing[0]}"',
            help=f"allow one of: {Assign.TYPE}, {CodeletCall.TYPE}, {ToolCall.TYPE}",
        )
    if highest(plan, 0, plan.limit, plan.further.number) is None:
        most = min(constraints.max_nodes, plan.limit + plan.further.number * plan.further_limit)
        raise ConstraintError(
            f"min_nodes is {constraints.min_nodes}, but at most {most} can be reached with what is allowed",
            help="lower min_nodes, or allow more node types or longer ids",
        )
    doc: Draft = start(plan).doc
    if not can_begin(WORD, plan.max_word, (), True, (YAML_WORDS, plan.reserved, (END_ID,))):
        raise ConstraintError("no word is left for the id of a node", help="raise max_identifier_chars")
    if not types(doc.declared("a")):
        names = ", ".join(plan.types) or "none"
        raise ConstraintError(
            f"no document can begin: the node types that can be used are {names}",
            help="allow more node types, or other values of max_nodes and min_nodes",
        )
