"""Mutations that break the rules about references, libraries, signatures and namespaces (ADL3, ADL4, ADL80, ADL91)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.diagnostics import Code
from agentic_dsl.node_table import Assign, End, Node, ToolCall
from agentic_dsl.paths import Layer
from agentic_dsl.span import Span
from benchmarks.mutations.flow import CALLED, CONTRACT
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _next(scene: Scene) -> tuple[Subgraph, Node, Span]:
    """A node that leads to one other, and where the reference stands."""
    block, node = scene.node(Node, where=lambda n: len(n.next) == 1 and ("next", 0) in n.spans.values)
    return block, node, node.spans.values[("next", 0)]


def _call(scene: Scene) -> tuple[Subgraph, Span]:
    """Where the library is called."""
    block, node = scene.node(Node, where=lambda n: n.next and str(n.next[0]).startswith(CALLED))
    return block, scene.value(node, "next", 0)


def _dangling(scene: Scene) -> Mutation:
    block, _, span = _next(scene)
    plain = scene.written(span).strip('"')
    new = scene.rng.choice((plain + "_x", f"{block.path}/nowhere", "/main/none/here", "/lib/none/here@v1"))
    return Mutation((Edit(span, f'"{new}"'),))


def _template_reference(scene: Scene) -> Mutation:
    _, _, span = _next(scene)
    return Mutation((Edit(span, '"{{ $.where }}"'),))


def _unresolved_require(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.5:
        block = scene.pick(b for b in scene.blocks if b.requires)
        return Mutation((scene.change(block.spans.values[("requires",)], "^1.0", scene.rng.choice(("^2.0", "~1.9"))),))
    block = scene.pick(b for b in scene.blocks if not b.requires)
    return Mutation((scene.block_key(block, 'requires: [{lib: "/lib/none/here@^1.0"}]'),))


def _no_version(scene: Scene) -> Mutation:
    _, span = _call(scene)
    return Mutation((scene.change(span, "@v1", scene.rng.choice(("@v2", "@v1.9", "@v1.2.3"))),))


def _missing_input(scene: Scene) -> Mutation:
    _, span = _call(scene)
    return Mutation((Edit(span, f'"{CALLED}@v1?{scene.rng.choice(("amount=3", "factor=2"))}"'),))


def _unknown_input(scene: Scene) -> Mutation:
    _, span = _call(scene)
    return Mutation((scene.change(span, "?", scene.rng.choice(("?amont=3&", "?unit=km&", "?scaled=1&"))),))


def _bad_input(scene: Scene) -> Mutation:
    _, span = _call(scene)
    return Mutation((scene.change(span, "2.5", scene.rng.choice(("many", "true", "2%2C5"))),))


def _call_outside_next(scene: Scene) -> Mutation:
    _, node = scene.node(Assign, ToolCall, where=lambda n: n.on_error is None)
    return Mutation((scene.field(node, 'on_error: "/lib/tool/list_available@v1"'),))


def _signature(scene: Scene) -> tuple[Subgraph | Contract, Span]:
    block = scene.pick(scene.signed)
    return block, block.at("signature")


def _output_not_written(scene: Scene) -> Mutation:
    block, span = _signature(scene)
    scene.need(isinstance(block, Subgraph))
    end = span.end - 2
    return Mutation((Edit(Span(end, end), ", verdict: boolean"),))


def _duplicate_parameter(scene: Scene) -> Mutation:
    block, span = _signature(scene)
    name = scene.pick(block.signature.inputs if block.signature is not None else ()).name
    at = span.start + 2
    return Mutation((Edit(Span(at, at), f"{name}: integer, "),))


def _unknown_type(scene: Scene) -> Mutation:
    _, span = _signature(scene)
    old = scene.rng.choice(("string", "number"))
    return Mutation((scene.change(span, old, scene.rng.choice((old[:-1], "text", "array<date>"))),))


def _namespace(scene: Scene) -> Mutation:
    path = scene.rng.choice(("/mine/p", "/libs/math/x", "/Main/p", "/end"))
    return Mutation((scene.add_block(path, "graph_type: subgraph\nnodes:\n  - {id: over, type: end}"),))


def _disabled(scene: Scene) -> Mutation:
    scene.need("/app/" not in scene.text)
    block = scene.add_block("/app/aside", "graph_type: subgraph\nnodes:\n  - {id: over, type: end}")
    return Mutation((block,), options={"disabled_namespaces": frozenset({"app"})})


def _signature_required(scene: Scene) -> Mutation:
    block = scene.pick(b for b in scene.blocks if b.path.is_library and ("signature",) in b.spans.keys)
    return Mutation((scene.without(block, "signature"),), (block.path_span,))


def _layer(scene: Scene) -> Mutation:
    block = scene.pick(b for b in scene.blocks if b.path.namespace and b.path.namespace.layer is Layer.KNOWLEDGE)
    item = scene.rng.choice(
        (
            "type: tool_call, tool: web_search, output_keys: [hits]",
            'type: dsl_call, prompt_template: "Hi", llm_tool_name: m, output_keys: [hits]',
            'type: codelet_call, runtime: python3, code: "x", output_keys: [hits]',
            'type: generate_subgraph, prompt_template: "Plan", output_keys: [hits]',
        )
    )
    return Mutation((scene.add_node(block, f'{{id: reach, {item}, next: ["{block.path}/done"]}}'),))


def _reserved(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.5:
        return Mutation((scene.add_block("/main/__aside", "graph_type: subgraph\nnodes:\n  - {id: over, type: end}"),))
    return Mutation((scene.add_node(scene.pick(scene.blocks), "{id: __over, type: end}"),))


def _unknown_node(scene: Scene) -> Mutation:
    _, node = scene.node(Node)
    new = scene.rng.choice((node.type + "s", "loop", node.type.upper(), "if"))
    return Mutation((Edit(scene.value(node, "type"), new),))


# --- contracts ------------------------------------------------------------------------------------------------------


def _unused_input(scene: Scene) -> Mutation:
    block, span = _signature(scene)
    scene.need(isinstance(block, Subgraph) and not _generates(scene))
    joint = ", " if block.signature is not None and block.signature.inputs else ""
    at = span.start + 2
    return Mutation((Edit(Span(at, at), f"mood: string{joint}"),))


def _generates(scene: Scene) -> bool:
    return any(node.type == "generate_subgraph" for _, node in scene.nodes(Node))


def _dead_write(scene: Scene) -> Mutation:
    block, node = scene.node(Assign)
    scene.need(block.signature is not None and not _generates(scene))
    key = node.spans.keys[("assign", scene.pick(node.assign))]
    return Mutation((scene.before(key, "spare: 3"),))


def _unversioned(scene: Scene) -> Mutation:
    blocks = [b for b in scene.document.blocks if isinstance(b, Subgraph | Contract) and ("version",) in b.spans.keys]
    block = scene.pick(b for b in blocks if b.path.is_library)
    return Mutation((scene.without(block, "version"),), (block.path_span,))


def _unused_requirement(scene: Scene) -> Mutation:
    block = scene.pick(b for b in scene.blocks if not b.requires)
    scene.need(not _generates(scene) and CALLED not in scene.text)
    return Mutation((scene.block_key(block, f'requires: [{{lib: "{CALLED}@^1.0"}}]'),))


def _deprecated_callee(scene: Scene) -> Mutation:
    _, span = _call(scene)
    return Mutation((), (span,), library=(CONTRACT.replace("stable", "deprecated"),))


def _unstable_callee(scene: Scene) -> Mutation:
    block, span = _call(scene)
    scene.need(block.path.is_library and block.stability is not None and block.stability.value == "stable")
    return Mutation((), (span,), library=(CONTRACT.replace("stable", "experimental"),))


def _outdated(scene: Scene) -> Mutation:
    _, span = _call(scene)
    newer = CONTRACT.replace('"1.2"', f'"{scene.rng.randint(2, 4)}.{scene.rng.randint(0, 9)}"')
    return Mutation((), (span,), library=(CONTRACT, newer))


# --- the reference executor -----------------------------------------------------------------------------------------


def _mapping_signature(scene: Scene) -> Mutation:
    block, span = _signature(scene)
    signature = block.signature
    scene.need(signature is not None)
    assert signature is not None
    inputs = [f"{{name: {p.name}, type: {p.type}, required: {str(p.required).lower()}}}" for p in signature.inputs]
    outputs = [f"{{name: {p.name}, type: {p.type}, required: {str(p.required).lower()}}}" for p in signature.outputs]
    return Mutation((Edit(span, f"{{inputs: [{', '.join(inputs)}], outputs: [{', '.join(outputs)}]}}"),))


def _looks_typed(scene: Scene) -> Mutation:
    _, node = scene.node(Assign, ToolCall)
    owner = "assign" if isinstance(node, Assign) else "arguments"
    span = scene.pick(s for path, s in node.spans.values.items() if path[0] == owner and len(path) == 2)
    return Mutation((Edit(span, scene.rng.choice(('"0042"', '"true"', '"-1.5"', '"1e9"', "'7'"))),))


def _unregistered_end(scene: Scene) -> Mutation:
    _, _, span = _next(scene)
    return Mutation((Edit(span, scene.rng.choice(('"/end_soft"', '"/end"', "/end_soft"))),))


def _relative(scene: Scene) -> Mutation:
    _, _, span = _next(scene)
    name = scene.written(span).strip('"').rpartition("/")[2]
    return Mutation((Edit(span, scene.rng.choice((f'"{name}"', name, f"/self/{name}", f"'{name}'"))),))


def _mapped_only(scene: Scene) -> Mutation:
    _, node = scene.node(ToolCall)
    key, value = node.spans.keys[("output_keys",)], scene.value(node, "output_keys")
    scene.need(re.fullmatch(r"\[\"\w+\"\]", scene.written(value)))
    return Mutation((Edit(key, "output_mapping"), Edit(value, f"{{{node.output_keys[0]}: result}}")))


def _misplaced(scene: Scene) -> Mutation:
    _, node = scene.node(End)
    scene.need(("metadata",) not in node.spans.keys)
    return Mutation((scene.field(node, "termination_mode: soft"),))


MUTATIONS: Mapping[Code, Mutate] = {
    codes.DANGLING: _dangling,
    codes.TEMPLATE_REFERENCE: _template_reference,
    codes.UNRESOLVED_REQUIRE: _unresolved_require,
    codes.NO_SUCH_VERSION: _no_version,
    codes.MISSING_INPUT: _missing_input,
    codes.UNKNOWN_INPUT: _unknown_input,
    codes.CALL_OUTSIDE_NEXT: _call_outside_next,
    codes.OUTPUT_NOT_WRITTEN: _output_not_written,
    codes.DUPLICATE_PARAMETER: _duplicate_parameter,
    codes.UNKNOWN_FIELD_TYPE: _unknown_type,
    codes.BAD_INPUT: _bad_input,
    codes.NAMESPACE: _namespace,
    codes.NAMESPACE_DISABLED: _disabled,
    codes.SIGNATURE_REQUIRED: _signature_required,
    codes.LAYER: _layer,
    codes.RESERVED_NAME: _reserved,
    codes.UNKNOWN_TYPE: _unknown_node,
    codes.UNUSED_INPUT: _unused_input,
    codes.DEAD_WRITE: _dead_write,
    codes.UNVERSIONED_LIBRARY: _unversioned,
    codes.UNUSED_REQUIREMENT: _unused_requirement,
    codes.DEPRECATED_CALLEE: _deprecated_callee,
    codes.UNSTABLE_CALLEE: _unstable_callee,
    codes.OUTDATED_CALL: _outdated,
    codes.MAPPING_SIGNATURE: _mapping_signature,
    codes.LITERAL_LOOKS_TYPED: _looks_typed,
    codes.UNREGISTERED_END: _unregistered_end,
    codes.RELATIVE_REFERENCE: _relative,
    codes.MAPPED_OUTPUT_ONLY: _mapped_only,
    codes.MISPLACED_MODE: _misplaced,
}
"""Rule → what breaks it."""
