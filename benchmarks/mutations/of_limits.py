"""Mutations that break the rules about permissions, resources and budgets (ADL5, ADL81, ADL82), and about safety."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Meta, ResourceEntry, Resources, Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.diagnostics import Code
from agentic_dsl.node_table import Assign, DslCall, GenerateSubgraph, Join, Node, Resource, ToolCall
from agentic_dsl.span import Span
from benchmarks.mutations.flow import TOOLS
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _meta(scene: Scene) -> Meta:
    meta = scene.document.meta
    scene.need(meta is not None)
    assert meta is not None
    return meta


def _resources(scene: Scene) -> Resources:
    resources = scene.document.resources
    scene.need(resources is not None)
    assert resources is not None
    return resources


def _tool_entry(scene: Scene) -> ResourceEntry:
    return scene.pick(entry for entry in _resources(scene).entries if entry.type == "tool")


def _declared(scene: Scene, node: ToolCall) -> Mapping[str, object]:
    """What is known of the tool of a call in an application."""
    _resources(scene)
    return TOOLS[node.tool]


def _new_entry(scene: Scene, entry: str) -> Edit:
    """An entry of the resources before the first one."""
    at = _resources(scene).entries[0].span.start
    line = scene.line_of(at)
    return Edit(Span(line, line), f"  - {{{entry}}}{scene.newline}")


def _undeclared(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall)
    _resources(scene)
    return Mutation((Edit(scene.value(node, "tool"), scene.rng.choice(("look_up", "web_serch", "http"))),))


def _no_resources(scene: Scene) -> Mutation:
    block = _resources(scene)
    calls = [node.at("tool") for _, node in scene.nodes(ToolCall)]
    scene.need(calls and _meta(scene).mode == "prod")
    # No line is left of the block; the calls are why it is missed, and the heading of /__meta__ is where it belongs.
    return Mutation((Edit(block.span, ""),), (*calls, _meta(scene).path_span))


def _exceeded(scene: Scene) -> Mutation:
    block, node = scene.node(ToolCall, Assign)
    scene.need(block.permissions)
    item = scene.rng.choice(('"tool: drop_tables"', "{runtime: bash}", "{network: outbound, domains: [x.test]}"))
    return Mutation((scene.field(node, f"permissions: [{item}]"),))


def _budget(scene: Scene, key: str, value: int) -> Mutation:
    scene.need(value >= 0)
    return Mutation((Edit(scene.value(_meta(scene), "execution_budget", key), str(value)),))  # type: ignore[arg-type]


def _too_many_nodes(scene: Scene) -> Mutation:
    """A budget that is too small, found at the first node beyond it; or one node too many, found there."""
    nodes = [node for _, node in scene.nodes(Node)]
    if scene.rng.random() < 0.5:
        limit = len(nodes) - scene.rng.randint(1, 2)
        return Mutation(_budget(scene, "max_nodes", limit).edits, (nodes[limit].at("id"), nodes[limit].span))
    fitting = _budget(scene, "max_nodes", len(nodes)).edits
    more = scene.add_node(scene.blocks[-1], "{id: extra, type: resource, resource_type: file, uri: notes.txt}")
    return Mutation((*fitting, more))


def _depth(scene: Scene) -> Mutation:
    scene.need(scene.nodes(GenerateSubgraph))
    mutation = _budget(scene, "max_subgraph_depth", 0)
    node = scene.nodes(GenerateSubgraph)[0][1]
    return Mutation(mutation.edits, (mutation.edits[0].span, node.at("type"), node.span))


def _generation_cycle(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.5:
        block, node = scene.node(GenerateSubgraph)
        scene.need(block.path.under("dynamic"))
        return Mutation((scene.field(node, f'namespace_prefix: "{block.path}"'),))
    block, caller = scene.node(Assign)
    scene.need(block.path.is_library)
    span = scene.value(caller, "next", 0)
    inputs = block.signature.inputs if block.signature is not None else ()
    call = f'"{block.path}@v1{"?" if inputs else ""}{"&".join(f"{p.name}=x" for p in inputs)}"'
    return Mutation((Edit(Span(span.start, span.start), f"{call}, "),))


def _bad_argument(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall)
    _declared(scene, node)
    wrong = {"query": "[a]", "city": "3", "to": '"me"', "body": "{a: 1}", "limit": '"five"', "unit": "rankine"}
    name = scene.pick(name for name in node.arguments if name in wrong)
    return Mutation((Edit(scene.value(node, "arguments", name), wrong[name]),))


def _missing_argument(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall)
    required = _declared(scene, node)["required"]
    assert isinstance(required, list)
    others = {name for name in node.arguments if name not in required[1:]}
    key = node.spans.keys[("arguments",)]
    if len(others) == len(node.arguments):
        return Mutation((scene.without(node, "arguments", required[0]),), (key, node.span, node.at("tool")))
    return Mutation((scene.without(node, "arguments", scene.pick(required[1:])),), (key, node.span, node.at("tool")))


def _unknown_argument(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall)
    _declared(scene, node)
    key = node.spans.keys[("arguments", scene.pick(node.arguments))]
    return Mutation((scene.before(key, scene.rng.choice(("querry: 1", "lang: de", "cities: [a]"))),))


def _merge_mode(scene: Scene) -> Mutation:
    _, node = scene.node(Join, where=lambda n: ("join", "merge_strategy") in n.spans.values)
    scene.need(_meta(scene).mode == "prod")
    return Mutation((Edit(scene.value(node, "join", "merge_strategy"), "last_write_wins"),))


def _unknown_field(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall)
    returns = _declared(scene, node)["returns"]
    assert isinstance(returns, dict)
    names = [*returns, scene.rng.choice(("hitz", "total", "error"))]
    return Mutation((Edit(scene.value(node, "output_keys"), f"[{', '.join(names)}]"),))


def _bad_schema(scene: Scene) -> Mutation:
    entry = _tool_entry(scene)
    old = scene.rng.choice(('"type": "string"', '"type": "integer"', '"required": ["'))
    new = '"required": [1, "' if old.startswith('"req') else '"type": "text"'
    return Mutation((scene.change(entry.span, old, new),), (entry.span, *_inside(scene, entry)))


def _inside(scene: Scene, entry: ResourceEntry) -> list[Span]:
    """The lines of an entry, each by its beginning."""
    starts = [entry.span.start, *(n + 1 for n in range(*_range(entry)) if scene.text[n] == "\n")]
    return [Span(start, start) for start in starts]


def _range(entry: ResourceEntry) -> tuple[int, int]:
    return entry.span.start, entry.span.end - 1


def _many_tools(scene: Scene) -> Mutation:
    at = _resources(scene).entries[0].span.start
    line = scene.line_of(at)
    tools = "".join(f"  - {{type: tool, name: t_{n}, description: One., parameters: {{}}}}\n" for n in range(10_001))
    return Mutation((Edit(Span(line, line), tools),), (_resources(scene).path_span, _resources(scene).entries[0].span))


# --- least privilege ------------------------------------------------------------------------------------------------


def _permit(scene: Scene, block: Subgraph, item: str) -> Edit:
    """A permission before those that a block has."""
    if ("permissions",) in block.spans.values:
        at = block.spans.values[("permissions",)].start + 1
        return Edit(Span(at, at), f"{item}, ")
    return scene.block_key(block, f"permissions: [{item}]")


def _generates(scene: Scene) -> bool:
    return bool(scene.nodes(GenerateSubgraph))


def _unused_permission(scene: Scene) -> Mutation:
    scene.need(not _generates(scene))
    item = scene.rng.choice(('"tool: drop_tables"', "{runtime: bash}", "{generate_subgraph: {max_depth: 2}}"))
    return Mutation((_permit(scene, scene.pick(scene.blocks), item),))


def _unused_resource(scene: Scene) -> Mutation:
    scene.need(not _generates(scene))
    item = scene.rng.choice(("type: tool, name: drop_tables", "type: runtime, name: bash"))
    return Mutation((_new_entry(scene, item),))


def _unstated(scene: Scene) -> Mutation:
    block, _ = scene.node(ToolCall)
    scene.need(block.path.is_library and ("permissions",) in block.spans.keys)
    calls = [n.at("tool") for _, n in scene.nodes(ToolCall)]
    return Mutation((scene.without(block, "permissions"),), tuple(calls))


def _wide(scene: Scene) -> Mutation:
    block, _ = scene.node(ToolCall)
    return Mutation((_permit(scene, block, scene.rng.choice(("tool", '"tool: *"', "file", "runtime"))),))


def _repeated(scene: Scene) -> Mutation:
    block = scene.pick(b for b in scene.blocks if b.permissions)
    held = scene.pick(p for p in block.permissions if p.kind == "tool" and p.name)
    span = block.spans.values[("permissions",)]
    end = span.start + len(scene.written(span).rstrip()) - 1
    return Mutation((Edit(Span(end, end), f", {{tool: {held.name}, scope: read_only}}"),))


# --- budgets --------------------------------------------------------------------------------------------------------


def _drop_budget(scene: Scene, key: str) -> Edit:
    return scene.without(_meta(scene), "execution_budget", key)


def _unlimited_calls(scene: Scene) -> Mutation:
    meta = _meta(scene)
    scene.need(meta.mode == "prod" and scene.nodes(DslCall, GenerateSubgraph))
    return Mutation((_drop_budget(scene, "max_llm_calls"),), (meta.spans.keys[("execution_budget",)],))


def _unlimited_depth(scene: Scene) -> Mutation:
    _, node = scene.node(GenerateSubgraph)
    return Mutation((_drop_budget(scene, "max_subgraph_depth"),), (node.at("type"),))


def _too_small(scene: Scene) -> Mutation:
    return _budget(scene, "max_llm_calls", len(scene.nodes(DslCall, GenerateSubgraph)) - 1)


# --- safety ---------------------------------------------------------------------------------------------------------


def _open_network(scene: Scene) -> Mutation:
    if scene.document.resources is not None and scene.rng.random() < 0.5:
        entry = scene.pick(entry for entry in scene.document.resources.entries if entry.type == "network")
        return Mutation((scene.change(entry.span, "api.test", "*"),))
    item = scene.rng.choice(("network", "{network: outbound}", '{network: outbound, domains: ["*"]}'))
    return Mutation((_permit(scene, scene.pick(scene.blocks), item),))


def _unchecked(scene: Scene) -> Mutation:
    _, node = scene.node(GenerateSubgraph)
    return Mutation((Edit(scene.value(node, "signature_validation"), "ignore"),))


def _unbounded_tool(scene: Scene) -> Mutation:
    block, node = scene.node(ToolCall)
    scene.need(not block.permissions)
    return Mutation((Edit(scene.value(node, "tool"), scene.rng.choice(('"{{ chosen }}"', '"get_{{ $.what }}"'))),))


def _plain_http(scene: Scene) -> Mutation:
    _, node = scene.node(Resource)
    return Mutation((scene.change(scene.value(node, "uri"), "https", scene.rng.choice(("http", "HTTP"))),))


MUTATIONS: Mapping[Code, Mutate] = {
    codes.UNDECLARED_RESOURCE: _undeclared,
    codes.NO_RESOURCES: _no_resources,
    codes.PERMISSION_EXCEEDED: _exceeded,
    codes.TOO_MANY_NODES: _too_many_nodes,
    codes.DEPTH_EXCEEDED: _depth,
    codes.GENERATION_CYCLE: _generation_cycle,
    codes.BAD_ARGUMENT: _bad_argument,
    codes.MISSING_ARGUMENT: _missing_argument,
    codes.UNKNOWN_ARGUMENT: _unknown_argument,
    codes.MERGE_STRATEGY_MODE: _merge_mode,
    codes.UNKNOWN_RESULT_FIELD: _unknown_field,
    codes.BAD_SCHEMA: _bad_schema,
    codes.TOO_MANY_TOOLS: _many_tools,
    codes.UNUSED_PERMISSION: _unused_permission,
    codes.UNUSED_RESOURCE: _unused_resource,
    codes.UNSTATED_NEED: _unstated,
    codes.WIDE_PERMISSION: _wide,
    codes.REPEATED_PERMISSION: _repeated,
    codes.UNLIMITED_MODEL_CALLS: _unlimited_calls,
    codes.UNLIMITED_DEPTH: _unlimited_depth,
    codes.BUDGET_TOO_SMALL: _too_small,
    codes.UNRESTRICTED_NETWORK: _open_network,
    codes.UNCHECKED_GENERATION: _unchecked,
    codes.UNBOUNDED_TOOL: _unbounded_tool,
    codes.PLAIN_HTTP: _plain_http,
}
"""Rule → what breaks it."""
