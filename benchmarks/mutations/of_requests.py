"""Mutations that break the rules about what a caller asked for (ADL7) and about what models can use (ADL90)."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.diagnostics import Code
from agentic_dsl.node_table import Assign, DslCall, GenerateSubgraph, Node, ToolCall
from agentic_dsl.span import NOWHERE, Span
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _asked(scene: Scene) -> Subgraph:
    """The block of an answer to a request."""
    scene.need(scene.example.constraints is not None)
    return scene.blocks[0]


def _other_path(scene: Scene) -> Mutation:
    block = _asked(scene)
    if scene.rng.random() < 0.5:
        return Mutation((), (block.path_span,), constraints={"path": "/dynamic/trip"})
    at, edits = scene.text.find(str(block.path)), []
    while at >= 0:
        edits.append(Edit(Span(at, at + len(str(block.path))), "/dynamic/other"))
        at = scene.text.find(str(block.path), at + 1)
    return Mutation(tuple(edits), (block.path_span,))


def _type_not_allowed(scene: Scene) -> Mutation:
    block = _asked(scene)
    used = {node.type for node in block.nodes}
    gone = scene.pick(sorted(used - {"end"}))
    nodes = [node for node in block.nodes if node.type == gone]
    at = tuple(span for node in nodes for span in (node.at("type"), node.span))
    return Mutation((), at, constraints={"allowed_node_types": tuple(sorted(used - {gone}))})


def _tool_not_allowed(scene: Scene) -> Mutation:
    _asked(scene)
    _, node = scene.node(ToolCall)
    return Mutation((Edit(scene.value(node, "tool"), scene.rng.choice(("drop_tables", "web_serch"))),))


def _target_not_allowed(scene: Scene) -> Mutation:
    _asked(scene)
    _, node = scene.node(Assign, where=lambda n: len(n.next) == 1)
    new = scene.rng.choice(('"/end_soft"', '"/lib/tool/list_available@v1"', '"/lib/human/approval@v1?request=ok"'))
    return Mutation((Edit(scene.value(node, "next", 0), new),))


def _too_few(scene: Scene) -> Mutation:
    block = _asked(scene)
    return Mutation((), (block.path_span, block.at("nodes")), constraints={"min_nodes": len(block.nodes) + 1})


def _too_many(scene: Scene) -> Mutation:
    block = _asked(scene)
    nodes = "graph_type: subgraph\nnodes:\n  - id: over\n    type: end"
    body = f"# --- BEGIN AgenticDSL ---\n{nodes}\n# --- END AgenticDSL ---"
    return Mutation((scene.add_block(f"{block.path}/aside", body),))


def _other_signature(scene: Scene) -> Mutation:
    block = _asked(scene)
    if scene.rng.random() < 0.3:
        return Mutation((scene.without(block, "signature"),), (block.path_span,))
    return Mutation((scene.change(block.at("signature"), "string", scene.rng.choice(("any", "integer", "array"))),))


def _not_granted(scene: Scene) -> Mutation:
    block = _asked(scene)
    key = block.spans.keys[("nodes",)]
    return Mutation(
        (scene.before(key, f'permissions: ["{scene.rng.choice(("tool: web_search", "network", "file:read"))}"]'),)
    )


def _too_long(scene: Scene) -> Mutation:
    _asked(scene)
    _, node = scene.node(Assign, DslCall)
    spans = [s for path, s in node.spans.values.items() if path[0] in ("assign", "prompt_template")]
    span = scene.pick(s for s in spans if scene.written(s).startswith('"'))
    at = span.start + 1
    return Mutation((Edit(Span(at, at), "Well, " * 60),))


def _other_form(scene: Scene) -> Mutation:
    _asked(scene)
    _, node = scene.node(Node)
    line = scene.rng.choice(("curriculum_level: 2", 'expected_output: "x"', 'signature: "() -> ()"'))
    return Mutation((scene.field(node, line),))


def _incomplete(scene: Scene) -> Mutation:
    """Cuts an answer off before its first node; one that is cut off later is a block without an end (ADL006)."""
    cut = scene.rng.randint(0, _asked(scene).spans.keys[("graph_type",)].start)
    return Mutation((Edit(Span(cut, len(scene.text)), ""),), (NOWHERE,))


def _unwritable(scene: Scene) -> Mutation:
    block = scene.pick(b for b in scene.signed if isinstance(b, Contract) and b.signature is not None)
    parameter = scene.pick((*block.signature.inputs, *block.signature.outputs))
    new = scene.rng.choice(("maxPrice", "yes", "a_name_that_is_longer_than_models_write", "Total"))
    at = scene.text.index(parameter.name, parameter.span.start)
    return Mutation((Edit(Span(at, at + len(parameter.name)), new),))


def _tool_without(scene: Scene, key: str) -> Mutation:
    """Takes a key away from the entry of a tool; the finding is about the entry."""
    resources = scene.document.resources
    scene.need(resources is not None and scene.nodes(GenerateSubgraph))
    entry = scene.pick(e for e in resources.entries if e.type == "tool") if resources is not None else None
    scene.need(entry is not None)
    assert entry is not None
    start = scene.text.index(f"{key}:", entry.span.start)
    line = scene.line_of(start)
    if scene.text[line:start].strip():
        end = scene.text.find("returns: " if key == "parameters" else "parameters: ", start)
        return Mutation((Edit(Span(start, end), ""),), (entry.span,))
    return Mutation((Edit(Span(line, scene.text.index("\n", start) + 1), ""),), (entry.span,))


def _undescribed(scene: Scene) -> Mutation:
    return _tool_without(scene, "description")


def _untyped(scene: Scene) -> Mutation:
    return _tool_without(scene, "parameters")


MUTATIONS: Mapping[Code, Mutate] = {
    codes.OTHER_PATH: _other_path,
    codes.TYPE_NOT_ALLOWED: _type_not_allowed,
    codes.TOOL_NOT_ALLOWED: _tool_not_allowed,
    codes.TARGET_NOT_ALLOWED: _target_not_allowed,
    codes.TOO_FEW_NODES: _too_few,
    codes.TOO_MANY_SUBGRAPHS: _too_many,
    codes.OTHER_SIGNATURE: _other_signature,
    codes.PERMISSION_NOT_GRANTED: _not_granted,
    codes.TEXT_TOO_LONG: _too_long,
    codes.NOT_GENERATED_FORM: _other_form,
    codes.INCOMPLETE: _incomplete,
    codes.UNWRITABLE_PARAMETER: _unwritable,
    codes.UNDESCRIBED_TOOL: _undescribed,
    codes.UNTYPED_TOOL: _untyped,
}
"""Rule → what breaks it."""
