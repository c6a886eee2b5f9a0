"""Mutations that break the rules about YAML and values (ADL1), drawn from the node table where it says enough."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.diagnostics import Code
from agentic_dsl.node_table import (
    DEPRECATED_TYPES,
    NODE_TABLE,
    Assign,
    CodeletCall,
    DslCall,
    End,
    Fork,
    GenerateSubgraph,
    Join,
    Node,
    Resource,
    ToolCall,
)
from agentic_dsl.span import Span
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _syntax(scene: Scene) -> Mutation:
    _, node = scene.node(Node)
    line = scene.rng.choice(("note: a: b", "note: @x", 'note: "a\\q"', "note: %x", "note: `x`"))
    return Mutation((scene.field(node, line),))


def _duplicate_key(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.3:
        block = scene.pick(scene.blocks)
        # What is written before the other is the first of the two; the second is the one too many.
        return Mutation((scene.block_key(block, "graph_type: subgraph"),), (block.spans.keys[("graph_type",)],))
    _, node = scene.node(Node)
    return Mutation((scene.field(node, f"id: {node.id}_2"),))


def _tag(scene: Scene) -> Mutation:
    _, node = scene.node(Node)
    path = scene.pick(path for path in node.spans.values if path in node.spans.keys)
    span = node.spans.values[path]
    on_own_line = "\n" in scene.written(span) and not scene.written(span).startswith(("{", "["))
    scene.need(not on_own_line)
    return Mutation((Edit(Span(span.start, span.start), scene.rng.choice(("!!str ", "!int ", "!<tag:x.test,1:y> "))),))


def _yaml_limit(scene: Scene) -> Mutation:
    _, node = scene.node(Assign)
    key = scene.pick(node.assign)
    return Mutation((Edit(scene.value(node, "assign", key), "[" * 101 + "1" + "]" * 101),))


def _not_one(scene: Scene) -> Mutation:
    block = scene.pick(scene.document.blocks)
    fence = scene.text.rindex("```", 0, block.span.end)
    if scene.rng.random() < 0.5:
        return Mutation((Edit(Span(fence, fence), f"---{scene.newline}more: 1{scene.newline}"),))
    return Mutation((scene.add_block("/main/other", scene.rng.choice(("- one\n- two", "just words", "", "3"))),), ())


def _unknown_key(scene: Scene) -> Mutation:
    kind = scene.rng.random()
    if kind < 0.2 and scene.document.meta is not None:
        key = scene.document.meta.spans.keys[("entry_point",)]
        return Mutation((scene.before(key, "execution_budgt: 3"),))
    if kind < 0.4:
        return Mutation((scene.block_key(scene.pick(scene.blocks), "requirs: []"),))
    _, node = scene.node(Node)
    return Mutation((scene.field(node, f"{scene.rng.choice(('nxt', 'on_eror', 'output_key', 'note'))}: 1"),))


def _missing_field(scene: Scene) -> Mutation:
    _, node = scene.node(Node, where=lambda n: _required(n))
    name = scene.pick(_required(node))
    return Mutation((scene.without(node, name),), _heads(node))


def _required(node: Node) -> list[str]:
    return [f.name for f in node.spec.fields if f.required and f.name != "id" and (f.name,) in node.spans.keys]


def _heads(node: Node) -> tuple[Span, ...]:
    """Where a finding about a node as a whole may stand: its first line, its id or its type."""
    keys = [node.spans.keys[key] for key in (("id",), ("type",)) if key in node.spans.keys]
    return (node.span, *keys)


_WRONG: Mapping[type[Node], tuple[tuple[str, str], ...]] = {
    Assign: (("assign", "[total]"), ("assign", "3")),
    ToolCall: (("tool", "[a]"), ("arguments", "3"), ("output_keys", "{a: 1}")),
    DslCall: (("prompt_template", "[1, 2]"), ("output_keys", "{a: b}")),
    CodeletCall: (("code", "{a: 1}"), ("output_keys", "[[1]]")),
    GenerateSubgraph: (("prompt_template", "{a: 1}"),),
    Fork: (("fork", "[1]"),),
    Join: (("join", '"all"'),),
    End: (("output_keys", "{a: 1}"),),
    Resource: (("uri", "[a]"),),
}
"""Row of the node table → fields and values of another type than theirs."""


def _wrong_type(scene: Scene) -> Mutation:
    _, node = scene.node(*_WRONG)
    name, value = scene.pick(_WRONG[type(node)])
    span = scene.value(node, name)
    written = scene.written(span)
    scene.need(written.startswith(('"', "{", "[")) or "\n" not in written.strip())
    return Mutation((Edit(Span(span.start, span.start + len(written.rstrip())), value),))


def _wrong_value(scene: Scene) -> Mutation:
    kind = scene.rng.random()
    if kind < 0.3 and scene.document.meta is not None:
        return Mutation(
            (scene.before(scene.document.meta.spans.keys[("entry_point",)], "context_merge_strategy: any"),)
        )
    paths = {End: ("termination_mode",), Join: ("join", "merge_strategy"), GenerateSubgraph: ("signature_validation",)}
    found = []
    for _, node in scene.nodes(*paths, Resource):
        wanted = paths.get(type(node), ("resource_type",))
        found += [span for path, span in node.spans.values.items() if path[-1] == wanted[-1]]
    span = scene.pick(found)
    return Mutation((Edit(span, scene.rng.choice(("gentle", "any", '"sometimes"'))),))


def _bad_id(scene: Scene) -> Mutation:
    _, node = scene.node(Node)
    name = scene.rng.choice(('"the node"', '"schön"', '"a/b"', '"a.b"'))
    return Mutation((Edit(scene.value(node, "id"), name),))


def _bad_path(scene: Scene) -> Mutation:
    block = scene.pick(scene.blocks)
    old = scene.written(block.path_span)
    new = scene.rng.choice((old + "/a plan", old + "//x", old + "/ä", old + "/"))
    return Mutation((Edit(block.path_span, new),))


def _references(scene: Scene) -> Span:
    _, node = scene.node(Node, where=lambda n: ("next", 0) in n.spans.values)
    return node.spans.values[("next", 0)]


def _bad_reference(scene: Scene) -> Mutation:
    span = _references(scene)
    plain = scene.written(span).strip("\"'")
    new = scene.rng.choice((plain[1:], plain + "/", f"{plain} ", "go on", "/a//b", ""))
    scene.need(new != plain)
    return Mutation(
        (Edit(span, f'"{new.strip() if new.strip() == plain else new}"' if new.strip() != plain else '"/"'),)
    )


def _bad_signature(scene: Scene) -> Mutation:
    block = scene.pick(scene.signed)
    span = block.at("signature")
    new = scene.rng.choice(('"(a: number -> {b: number}"', '"-> -> x"', '"(a number) -> {b: number}"', '"() -> {b: }"'))
    return Mutation((Edit(span, new),))


def _bad_permission(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall, Assign, CodeletCall)
    item = scene.rng.choice(('"everything please"', "{tol: web}", '"toool: web_search"'))
    return Mutation((scene.field(node, f"permissions: [{item}]"),))


def _bad_archive(scene: Scene) -> Mutation:
    _, node = scene.node(Node, where=lambda n: not n.spec.is_end and n.spec.has_edges)
    new = scene.rng.choice(('"keep it"', "\"archive_to('x y')\"", '"archive_to()"', '"archive(\\"/lib/workflow/x\\")"'))
    return Mutation((scene.field(node, f"on_success: {new}"),))


def _text_limit(scene: Scene) -> Mutation:
    block = scene.pick(scene.blocks)
    scene.need(("permissions",) not in block.spans.keys)
    return Mutation((scene.block_key(block, "permissions: [" + ", ".join(["{vector: a}"] * 1_001) + "]"),))


def _deprecated(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.3:
        _, node = scene.node(Node)
        return Mutation((scene.field(node, 'dev_comment: "to be done"'),))
    old, (new, _) = scene.pick(DEPRECATED_TYPES.items())
    _, node = scene.node(NODE_TABLE[new].row)
    return Mutation((Edit(scene.value(node, "type"), old),))


def _not_allowed(scene: Scene) -> Mutation:
    _, node = scene.node(Node)
    own = {spec.name for spec in node.spec.fields}
    others = {s.name for spec in NODE_TABLE.values() for s in spec.fields} - own
    values = {"tool": "web_search", "code": "x", "condition": '"{{ x }}"', "uri": "x", "prompt_template": "x"}
    name = scene.pick(sorted(others & values.keys()))
    return Mutation((scene.field(node, f"{name}: {values[name]}"),))


def _dropped(scene: Scene) -> Mutation:
    block, fork = scene.node(Fork)
    join = scene.pick(n for n in block.nodes if isinstance(n, Join))
    return Mutation((scene.field(fork, f'next: ["{block.node_path(join)}"]'),))


MUTATIONS: Mapping[Code, Mutate] = {
    codes.YAML_SYNTAX: _syntax,
    codes.DUPLICATE_KEY: _duplicate_key,
    codes.YAML_TAG: _tag,
    codes.YAML_LIMIT: _yaml_limit,
    codes.NOT_ONE_DOCUMENT: _not_one,
    codes.UNKNOWN_KEY: _unknown_key,
    codes.MISSING_FIELD: _missing_field,
    codes.WRONG_TYPE: _wrong_type,
    codes.WRONG_VALUE: _wrong_value,
    codes.BAD_ID: _bad_id,
    codes.BAD_PATH: _bad_path,
    codes.BAD_REFERENCE: _bad_reference,
    codes.BAD_SIGNATURE: _bad_signature,
    codes.BAD_PERMISSION: _bad_permission,
    codes.BAD_ARCHIVE: _bad_archive,
    codes.TEXT_LIMIT: _text_limit,
    codes.DEPRECATED_SPELLING: _deprecated,
    codes.FIELD_NOT_ALLOWED: _not_allowed,
    codes.DROPPED_FIELD: _dropped,
}
"""Rule → what breaks it."""
