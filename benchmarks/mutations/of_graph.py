"""Mutations that break the rules about the graph of a document (ADL2 and what lint adds to them)."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.compiler.lint.rules.budgets.large_subgraph import MOST
from agentic_dsl.diagnostics import Code
from agentic_dsl.node_table import Assign, End, Fork, GenerateSubgraph, Join, Node, Start, ToolCall
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _leads(node: Node) -> bool:
    """Whether a node leads to exactly one other and calls nothing."""
    return len(node.next) == 1 and ("next",) in node.spans.keys


def _quoted(reference: object) -> str:
    return f'"{reference}"'


def _successor(block: Subgraph, node: Node) -> Node:
    """The node behind one that `_leads`."""
    return next(n for n in block.nodes if block.node_path(n.id) == str(node.next[0]))


def _duplicate_id(scene: Scene) -> Mutation:
    block, node = scene.node(Node)
    item = f"{{id: {node.id}, type: resource, resource_type: file, uri: notes.txt}}"
    return Mutation((scene.add_node(block, item),))


def _duplicate_path(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.5:
        block = scene.pick(b for b in scene.document.blocks if b.path is not None and b.path.is_library)
        copy = f"Again.\n\n{scene.written(block.span)}\n".replace("\r\n", "\n")
        return Mutation((scene.add_text(copy),))
    block = scene.pick(scene.blocks)
    return Mutation((scene.add_block(str(block.path), "graph_type: subgraph\nnodes:\n  - {id: over, type: end}"),))


def _cycle(scene: Scene) -> Mutation:
    block, node = scene.node(Assign, ToolCall, where=lambda n: n.on_error is None)
    target = scene.pick(n for n in _ways_to(block, node) if not isinstance(n, Start | Join))
    return Mutation((scene.field(node, f"on_error: {_quoted(block.node_path(target.id))}"),))


def _ways_to(block: Subgraph, node: Node) -> list[Node]:
    """A node and those that lead to it; flows print them before it."""
    found = [node]
    for earlier in reversed(block.nodes[: block.nodes.index(node)]):
        paths = {block.node_path(n.id) for n in found}
        if any(str(reference) in paths for reference in (*earlier.next, *getattr(earlier, "branches", ()))):
            found.append(earlier)
    return found


def _unreachable(scene: Scene) -> Mutation:
    block = scene.pick(scene.blocks)
    return Mutation((scene.add_node(block, "{id: nowhere, type: end}"),))


def _no_successor(scene: Scene) -> Mutation:
    block, node = scene.node(Node, where=_leads)
    scene.need(not isinstance(_successor(block, node), Join))  # a join that waits for it says where it leads, too
    return Mutation((scene.without(node, "next"),), (node.span, node.at("id"), node.at("type")))


def _second_start(scene: Scene) -> Mutation:
    block, node = scene.node(Assign, where=_leads)
    scene.need(isinstance(block.nodes[0], Start))
    path, id_ = node.spans.values[("next",)], f"{node.id}_start"
    item = f"{{id: {id_}, type: start, next: {scene.written(path)}}}"
    return Mutation((Edit(path, f'["{block.path}/{id_}"]'), scene.add_node(block, item)))


def _few_branches(scene: Scene) -> Mutation:
    _, node = scene.node(Fork)
    span = scene.value(node, "fork", "branches")
    return Mutation((Edit(span, f"[{_quoted(node.branches[0])}]"),))


def _bad_list(scene: Scene) -> Mutation:
    block, node = scene.node(Node, where=_leads)
    first, end = _quoted(node.next[0]), f'"{block.path}/done"'
    scene.need(first != end)
    new = scene.rng.choice((f'[{first}, "/lib/tool/list_available@v1"]', f'[{first}, "/__system__/end_soft"]'))
    return Mutation((Edit(node.spans.values[("next",)], new),))


def _branch(scene: Scene) -> tuple[Subgraph, Node, Join]:
    """A node that leads to a join only, and the join."""
    block, join = scene.node(Join)
    path = block.node_path(join.id)
    branches = [n for n in block.nodes if isinstance(n, Assign | ToolCall) and [str(r) for r in n.next] == [path]]
    return block, scene.pick(n for n in branches if n.on_error is None), join


def _jump_into_join(scene: Scene) -> Mutation:
    block, node, join = _branch(scene)
    return Mutation((scene.field(node, f"on_error: {_quoted(block.node_path(join.id))}"),))


def _join_guards(scene: Scene) -> Mutation:
    block, node, join = _branch(scene)
    handler = scene.add_node(block, "{id: lost, type: end}")
    edits = (scene.field(node, f'on_error: "{block.path}/lost"'), handler)
    # The handler is right by itself; it is the join that cannot be entered any more.
    return Mutation(edits, (join.span, join.at("join", "wait_for"), join.at("join"), join.at("id")))


def _wait_for(scene: Scene) -> Mutation:
    block, join = scene.node(Join)
    span = scene.value(join, "join", "wait_for")
    kept = [_quoted(reference) for reference in join.sources[1:]]
    if scene.rng.random() < 0.5:
        kept = [*map(_quoted, join.sources), f'"{block.path}/{block.nodes[0].id}"']
        scene.need(block.nodes[0] not in (join,) and str(join.sources[0]) != block.node_path(block.nodes[0].id))
    return Mutation((Edit(span, f"[{', '.join(kept)}]"),))


def _empty(scene: Scene) -> Mutation:
    body = scene.rng.choice(("graph_type: subgraph\nnodes: []", "graph_type: subgraph\nnodes:"))
    return Mutation((scene.add_block("/main/empty", body),))


def _no_entry_point(scene: Scene) -> Mutation:
    meta = scene.document.meta
    scene.need(meta is not None)
    assert meta is not None
    if scene.rng.random() < 0.3:
        return Mutation((scene.without(meta, "entry_point"),), (meta.path_span,))
    return Mutation((Edit(meta.spans.values[("entry_point",)], '"/main/nothing"'),))


def _unknown_entry(scene: Scene) -> Mutation:
    return Mutation((scene.block_key(scene.pick(scene.blocks), "entry: begin_here"),))


def _twice(scene: Scene) -> Mutation:
    _, node = scene.node(Node, where=_leads)
    first = _quoted(node.next[0])
    return Mutation((Edit(node.spans.values[("next",)], f"[{first}, {first}]"),))


def _end_goes_on(scene: Scene) -> Mutation:
    block, node = scene.node(End)
    scene.need(block.nodes[0] is not node)
    target = scene.rng.choice((f"{block.path}/over", "/__system__/end_soft"))
    edits = [scene.field(node, f'next: ["{target}"]')]
    if target.endswith("over"):
        edits.append(scene.add_node(block, "{id: over, type: end}"))
    return Mutation(tuple(edits))


def _node_order(scene: Scene) -> Mutation:
    block, node = scene.node(Assign, where=_leads)
    later = _successor(block, node)
    scene.need(block.nodes.index(later) == block.nodes.index(node) + 1 and block.entry_id != node.id)
    return Mutation((Edit(node.span, _bare(scene, later)), Edit(later.span, _bare(scene, node))))


def _bare(scene: Scene, node: Node) -> str:
    written = scene.written(node.span)
    scene.need(written == written.rstrip())
    return written


def _single_join(scene: Scene) -> Mutation:
    block, node = scene.node(Assign, where=_leads)
    follower = _successor(block, node)
    scene.need(not isinstance(follower, Join) and _in_degree(block, follower) == 1)
    join = f"{block.path}/only"
    item = (
        f'{{id: only, type: join, join: {{wait_for: ["{block.node_path(node.id)}"]}}, next: [{_quoted(node.next[0])}]}}'
    )
    return Mutation((Edit(node.spans.values[("next",)], f'["{join}"]'), scene.add_node(block, item)))


def _in_degree(block: Subgraph, node: Node) -> int:
    path = block.node_path(node.id)
    return sum(str(reference) == path for n in block.nodes for reference in (*n.next, n.on_error))


def _idle_handler(scene: Scene) -> Mutation:
    block, node = scene.node(Assign, ToolCall, where=lambda n: _leads(n) and n.on_error is None)
    scene.need(not isinstance(_successor(block, node), Join))
    return Mutation((scene.field(node, f"on_error: {_quoted(node.next[0])}"),))


def _unused_block(scene: Scene) -> Mutation:
    scene.need(scene.is_application and not scene.nodes(GenerateSubgraph))
    return Mutation((scene.add_block("/main/aside", "graph_type: subgraph\nnodes:\n  - {id: over, type: end}"),))


def _large(scene: Scene) -> Mutation:
    block, node = scene.node(Assign, where=_leads)
    ids = [f"more_{n}" for n in range(MOST + 1)]
    edits = [Edit(node.spans.values[("next",)], f'["{block.path}/{ids[0]}"]')]
    follow = [*(f'"{block.path}/{id_}"' for id_ in ids[1:]), _quoted(node.next[0])]
    scene.need(not isinstance(_successor(block, node), Join))
    items = [
        f"{{id: {id_}, type: assert, condition: \"{{{{ exists('x') }}}}\", next: [{after}]}}"
        for id_, after in zip(ids, follow, strict=True)
    ]
    last = scene.add_node(block, items[0])
    prefix = last.text.partition("{")[0]
    edits.append(Edit(last.span, "".join(prefix + item for item in items)))
    return Mutation(tuple(edits), (block.path_span,))


def _fan_out(scene: Scene) -> Mutation:
    block, node, join = _branch(scene)
    names = ("deepen", "spread", "left", "right")
    at = {name: f'"{block.path}/{name}"' for name in names}
    to = _quoted(block.node_path(join.id))
    items = (
        f'{{id: deepen, type: generate_subgraph, prompt_template: "Go.", output_keys: [deep], next: [{at["spread"]}]}}',
        f"{{id: spread, type: fork, fork: {{branches: [{at['left']}, {at['right']}]}}}}",
        f"{{id: left, type: assign, assign: {{on_the_left: 1}}, next: [{to}]}}",
        f"{{id: right, type: assign, assign: {{on_the_right: 1}}, next: [{to}]}}",
    )
    first = scene.add_node(block, items[0])
    prefix = first.text.partition("{")[0]
    waits = scene.value(join, "join", "wait_for")
    others = [_quoted(r) for r in join.sources if str(r) != block.node_path(node.id)]
    edits = (
        Edit(node.spans.values[("next",)], f"[{at['deepen']}]"),
        Edit(waits, f"[{', '.join([*others, at['left'], at['right']])}]"),
        Edit(first.span, "".join(prefix + item for item in items)),
    )
    return Mutation(edits)


def _same_key(scene: Scene) -> Mutation:
    block, fork = scene.node(Fork)
    paths = [str(reference) for reference in fork.branches]
    first, second = (next(n for n in block.nodes if block.node_path(n.id) == path) for path in paths[:2])
    join = next(n for n in block.nodes if block.node_path(n.id) == str(first.next[0]))
    scene.need(isinstance(first, Assign) and isinstance(second, Assign) and isinstance(join, Join))
    assert isinstance(first, Assign)
    assert isinstance(second, Assign)
    assert isinstance(join, Join)
    scene.need(join.merge_strategy is None)
    old = second.spans.keys[("assign", scene.pick(second.assign))]
    name = scene.pick(first.assign)
    # The join is where the two meet; the name that was changed is as good a place.
    return Mutation((Edit(old, name),), (old, join.span, join.at("join"), join.at("join", "wait_for"), join.at("id")))


MUTATIONS: Mapping[Code, Mutate] = {
    codes.DUPLICATE_ID: _duplicate_id,
    codes.DUPLICATE_PATH: _duplicate_path,
    codes.CYCLE: _cycle,
    codes.UNREACHABLE: _unreachable,
    codes.NO_SUCCESSOR: _no_successor,
    codes.MISPLACED_START: _second_start,
    codes.FEW_BRANCHES: _few_branches,
    codes.BAD_LIST: _bad_list,
    codes.JOIN_JUMP_EDGE: _jump_into_join,
    codes.JOIN_GUARDS: _join_guards,
    codes.JOIN_WAIT_FOR: _wait_for,
    codes.EMPTY_SUBGRAPH: _empty,
    codes.MISSING_ENTRY_POINT: _no_entry_point,
    codes.UNKNOWN_ENTRY: _unknown_entry,
    codes.DUPLICATE_BRANCH: _twice,
    codes.END_HAS_SUCCESSOR: _end_goes_on,
    codes.MERGE_CONFLICT: _same_key,
    codes.GENERATION_FAN_OUT: _fan_out,
    codes.LARGE_SUBGRAPH: _large,
    codes.NODE_ORDER: _node_order,
    codes.SINGLE_SOURCE_JOIN: _single_join,
    codes.IDLE_HANDLER: _idle_handler,
    codes.UNUSED_BLOCK: _unused_block,
}
"""Rule → what breaks it."""
