"""Mutations that break the rules about templates and the names they read and write (ADL6, ADL83, ADL842, ADL85)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.compiler.lint.registry import BY_CODE
from agentic_dsl.diagnostics import Code
from agentic_dsl.node_table import Assert, Assign, CodeletCall, DslCall, Node, ToolCall
from agentic_dsl.span import Span
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _text(scene: Scene) -> tuple[Subgraph, Node, Span]:
    """A string in double quotes in which a template may stand."""
    block, node = scene.node(Assign, DslCall, ToolCall)
    owners = ("assign", "arguments", "prompt_template")
    spans = [span for path, span in node.spans.values.items() if path[0] in owners and path in node.spans.keys]
    return block, node, scene.pick(span for span in spans if scene.written(span).startswith('"'))


def _more(scene: Scene, template: str) -> Mutation:
    """Writes a template at the end of a text."""
    _, _, span = _text(scene)
    end = span.end - 1
    return Mutation((Edit(Span(end, end), " " + json.dumps(template)[1:-1]),))


def _syntax(scene: Scene) -> Mutation:
    return _more(scene, scene.rng.choice(("{{ x + }}", "{{ (x }}", "{% if x %}", "{{ x", "{% endfor %}", "{{ 'x }}")))


def _forbidden(scene: Scene) -> Mutation:
    return _more(
        scene, scene.rng.choice(('{% include "x" %}', "{{ env.KEY }}", '{% extends "x" %}', "{{ getenv('KEY') }}"))
    )


def _unknown_name(scene: Scene) -> Mutation:
    return _more(scene, scene.rng.choice(("{{ nobody_wrote }}", "{{ $.nobody.wrote }}", "{{ upper(nobody_wrote) }}")))


def _not_yet(scene: Scene) -> Mutation:
    _, node, span = _text(scene)
    name = scene.pick(node.writes)
    end = span.end - 1
    return Mutation((Edit(Span(end, end), f" {{{{ {name} }}}}"),))


def _unknown_function(scene: Scene) -> Mutation:
    block, _, _ = _text(scene)
    name = scene.pick(_inputs(block))
    return _in_block(scene, block, scene.rng.choice(("{{ lenght(%s) }}", "{{ %s | uper }}", "{{ trim(%s) }}")) % name)


def _inputs(block: Subgraph) -> list[str]:
    """Names that every node of a block may read."""
    return [p.name for p in block.signature.inputs] if block.signature is not None else []


def _in_block(scene: Scene, block: Subgraph, template: str) -> Mutation:
    """Writes a template at the end of a text of a block."""
    for _ in range(20):
        other, _, span = _text(scene)
        if other is block:
            end = span.end - 1
            return Mutation((Edit(Span(end, end), f" {json.dumps(template)[1:-1]}"),))
    scene.need(False)
    raise AssertionError


def _constant(scene: Scene) -> Mutation:
    _, node = scene.node(Assert)
    new = scene.rng.choice(('"{{ 4 > 3 }}"', '"true"', '"{{ false }}"', "\"{{ 'a' == 'b' }}\""))
    return Mutation((Edit(scene.value(node, "condition"), new),))


def _single_braces(scene: Scene) -> Mutation:
    block, _, _ = _text(scene)
    return _in_block(scene, block, f"{{{scene.pick(_inputs(block))}}}")


def _shadowed(scene: Scene) -> Mutation:
    block, _, _ = _text(scene)
    name = scene.pick(_inputs(block))
    return _in_block(scene, block, f"{{% for {name} in [1, 2] %}}{{{{ {name} }}}}{{% endfor %}}")


def _in_code(scene: Scene) -> Mutation:
    block, node = scene.node(CodeletCall, DslCall)
    name = scene.pick(_inputs(block))
    if isinstance(node, CodeletCall):
        span = scene.value(node, "code")
        return Mutation((Edit(Span(span.start + 1, span.start + 1), f"m = {{{{ {name} }}}}; "),))
    return Mutation((Edit(scene.value(node, "llm_tool_name"), f'"{{{{ {name} }}}}"'),))


def _unguarded(scene: Scene) -> Mutation:
    block, _ = scene.node(Assign, DslCall, ToolCall, Assert)
    scene.need(("signature",) in block.spans.values)
    name = scene.pick(_inputs(block))
    reads = re.compile(rf"\{{\{{ (?:\$\.)?{name} \}}\}}")
    found = [m.start() for b in (block,) for m in reads.finditer(scene.text, b.span.start, b.span.end)]
    span = block.at("signature")
    at = scene.text.index(f"{name}:", span.start) + len(name)
    # The signature is changed; the places that read the input are where the run fails.
    return Mutation((Edit(Span(at, at), "?"),), tuple(Span(start, start) for start in found[:1]) or (scene.pick([]),))


def _injection(scene: Scene) -> Mutation:
    block, node = scene.node(DslCall)
    span = scene.value(node, "prompt_template")
    scene.need("System:" in scene.written(span))
    return Mutation((scene.change(span, "careful.", f"careful with {{{{ {scene.pick(_inputs(block))} }}}}."),))


def _long_templates(scene: Scene) -> Mutation:
    block, node, span = _text(scene)
    name = scene.pick(_inputs(block))
    at = span.end - 1
    return Mutation((Edit(Span(at, at), f"{{{{ {name} }}}}" * 90_000),), (node.at("id"),))


def _bad_example(code: Code) -> Mutate:
    """Writes the block of the bad example behind the document; the limit is thousands of nodes away."""

    def mutate(scene: Scene) -> Mutation:
        scene.need("/main/" not in scene.text)
        return Mutation((scene.add_text(BY_CODE[code.code].bad.document()),))

    return mutate


# --- names ----------------------------------------------------------------------------------------------------------


def _renamed(scene: Scene, old: str, new: str, at: Span) -> Mutation:
    """Another name wherever one stands; the finding is about where it is declared."""
    found = re.finditer(rf"\b{re.escape(old)}\b", scene.text)
    return Mutation(tuple(Edit(Span(*match.span()), new) for match in found), (at,))


def _other_letters(scene: Scene, name: str) -> str:
    head, _, tail = name.partition("_")
    return scene.rng.choice((head + tail.title(), name.title(), name.upper()))


def _id_style(scene: Scene) -> Mutation:
    _, node = scene.node(Node)
    return _renamed(scene, node.id, _other_letters(scene, node.id), scene.value(node, "id"))


def _key_style(scene: Scene) -> Mutation:
    _, node = scene.node(Assign)
    name = scene.pick(node.assign)
    writers = [n for _, n in scene.nodes(Node) if name in n.writes]
    scene.need(name != "summary" and len(writers) == 1)
    return _renamed(scene, name, _other_letters(scene, name), node.spans.keys[("assign", name)])


def _misread_assign(scene: Scene) -> Mutation:
    _, node = scene.node(Assign)
    span = scene.value(node, "assign")
    if scene.written(span).startswith("{"):
        return Mutation((Edit(span, "{expr: 3, path: total}"),))
    indent = " " * (span.start - scene.line_of(span.start))
    written = scene.written(span).rstrip()
    new = f'expr: "{{{{ 1 + 2 }}}}"{scene.newline}{indent}path: total'
    return Mutation((Edit(Span(span.start, span.start + len(written)), new),))


MUTATIONS: Mapping[Code, Mutate] = {
    codes.TEMPLATE_SYNTAX: _syntax,
    codes.FORBIDDEN_TEMPLATE: _forbidden,
    codes.UNKNOWN_NAME: _unknown_name,
    codes.NOT_YET_AVAILABLE: _not_yet,
    codes.TEMPLATE_LIMIT: _long_templates,
    codes.MERGE_LIMIT: _bad_example(codes.MERGE_LIMIT),
    codes.NAME_LIMIT: _bad_example(codes.NAME_LIMIT),
    codes.UNKNOWN_FUNCTION: _unknown_function,
    codes.CONSTANT_CONDITION: _constant,
    codes.SINGLE_BRACES: _single_braces,
    codes.SHADOWED_NAME: _shadowed,
    codes.TEMPLATE_IN_CODE: _in_code,
    codes.UNGUARDED_OPTIONAL: _unguarded,
    codes.PROMPT_INJECTION: _injection,
    codes.ID_STYLE: _id_style,
    codes.KEY_STYLE: _key_style,
    codes.MISREAD_ASSIGN: _misread_assign,
}
"""Rule → what breaks it."""
