"""Mutations that break the rules about the document as a whole (ADL0), about comments and about texts in prose."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.compiler.lint.rules.generation.long_description import MOST
from agentic_dsl.diagnostics import Code
from agentic_dsl.span import MAX_BYTES, NOWHERE, Span
from benchmarks.mutations.scene import Mutate, Mutation, Scene


def _too_large(scene: Scene) -> Mutation:
    line = "All work and no play.\n"
    return Mutation((scene.add_text(line * (MAX_BYTES // len(line) + 1)),), (NOWHERE,))


def _not_text(scene: Scene) -> Mutation:
    at = scene.rng.randint(0, len(scene.text) - 1)
    at = scene.line_of(at)
    return Mutation((Edit(Span(at, at), scene.rng.choice(("\udcff", "\udcc3", "\udcfe"))),))


def _no_block(scene: Scene) -> Mutation:
    heads = [scene.text.rindex("AgenticDSL", 0, block.path_span.start) for block in scene.document.blocks]
    return Mutation(tuple(Edit(Span(at, at + len("AgenticDSL")), "Agentic") for at in heads), (NOWHERE,))


def _heading_without_block(scene: Scene) -> Mutation:
    block = scene.pick(scene.document.blocks)
    if scene.rng.random() < 0.5:
        fence = scene.text.index("```", block.path_span.end)
        return Mutation((Edit(Span(fence, fence), f"To be done.{scene.newline}{scene.newline}"),), (block.span,))
    return Mutation((scene.add_text("### AgenticDSL `/main/later`\n\nTo be written.\n"),))


def _heading_without_path(scene: Scene) -> Mutation:
    span = scene.pick(scene.document.blocks).path_span
    start = scene.text.rindex("`", 0, span.start + 1)
    return Mutation((Edit(Span(start, scene.text.index("`", span.end) + 1), scene.rng.choice(("", "the plan"))),))


def _unterminated(scene: Scene) -> Mutation:
    block = scene.document.blocks[-1]
    scene.need(not scene.document.epilogue)
    fence = scene.text.rindex("```")
    opening = scene.text.index("```", block.path_span.end)
    # The fence that is never closed, or the heading that it belongs to.
    return Mutation((Edit(Span(fence, len(scene.text)), ""),), (block.span, Span(opening, opening)))


def _marker(scene: Scene) -> Mutation:
    block = scene.pick(scene.document.blocks)
    body = scene.written(block.span)
    for word in ("BEGIN", "END"):
        if (at := body.find(f"# --- {word} AgenticDSL ---")) >= 0 and scene.rng.random() < 0.6:
            partner = "END" if word == "BEGIN" else "BEGIN"
            other = block.span.start + body.index(f"# --- {partner} AgenticDSL ---")
            start = block.span.start + at
            end = scene.text.index("\n", start) + 1
            return Mutation((Edit(Span(start, end), ""),), (Span(other, other),))
    scene.need("# ---" not in body)
    line = scene.text.index("\n", scene.text.index("```", block.path_span.end)) + 1
    word = scene.rng.choice(("BEGIN", "END"))
    return Mutation((Edit(Span(line, line), f"# --- {word} AgenticDSL ---{scene.newline}"),))


def _unknown_kind(scene: Scene) -> Mutation:
    if scene.rng.random() < 0.5:
        return Mutation((scene.add_block("/main/notes", "title: Notes\nowner: desk"),))
    block = scene.pick(b for b in scene.blocks if not b.path.is_library)  # a signature makes a contract of it there
    keys = [block.spans.keys[(name,)] for name in ("graph_type", "nodes")]
    return Mutation(tuple(Edit(key, f"{scene.written(key)}_of") for key in keys), (block.span, keys[0]))


def _unattached(scene: Scene) -> Mutation:
    block = scene.document.blocks[0]
    return Mutation((Edit(block.path_span, "/self/part"),))


def _fence(scene: Scene) -> Mutation:
    block = scene.pick(scene.document.blocks)
    at = scene.text.index("```yaml", block.path_span.end)
    return Mutation((Edit(Span(at + 3, at + 7), scene.rng.choice(("json", "toml", "python", "yaml5"))),))


def _many_nodes(scene: Scene) -> Mutation:
    block = scene.pick(scene.blocks)
    nodes = "\n".join(f"  - {{id: more_{n}, type: end}}" for n in range(10_001))
    return Mutation((scene.add_block(f"{block.path}_2", f"graph_type: subgraph\nnodes:\n{nodes}"),))


def _unused_suppression(scene: Scene) -> Mutation:
    code = scene.rng.choice(("ADL203", "ADL851, ADL853", "id-style", "ADL6"))
    if scene.rng.random() < 0.4:
        return Mutation((Edit(NOWHERE, f"<!-- adl: ignore-file {code} -->{scene.newline * 2}"),))
    at = scene.line_of(scene.pick(scene.document.blocks).path_span.start)
    return Mutation((Edit(Span(at, at), f"<!-- adl: ignore {code} -- for now -->{scene.newline * 2}"),))


def _broken_suppression(scene: Scene) -> Mutation:
    body = scene.rng.choice(("ignore", "ignroe ADL851", "ignore ADL9999", "", "ignore-file", "off"))
    end = scene.rng.choice(("-->", "-->", ""))
    at = scene.line_of(scene.pick(scene.document.blocks).path_span.start)
    return Mutation((Edit(Span(at, at), f"<!-- adl: {body} {end}{scene.newline * 2}"),))


def _library_prose(scene: Scene) -> tuple[Span, Span]:
    """The prose above a library block, and the path of the block."""
    blocks = [b for b in scene.document.blocks if isinstance(b, Subgraph | Contract) and b.path.is_library and b.prose]
    block = scene.pick(blocks)
    head = scene.line_of(block.path_span.start)
    start = scene.text.rindex(block.prose, 0, head)
    return Span(start, start + len(block.prose)), block.path_span


def _undescribed(scene: Scene) -> Mutation:
    prose, path = _library_prose(scene)
    return Mutation((Edit(prose, scene.rng.choice(("", "<!-- to be written -->"))),), (path,))


def _long_description(scene: Scene) -> Mutation:
    long = "It does one thing, " + "and one more thing, " * (MOST // 10) + "and that is all."
    if scene.document.resources is not None and scene.rng.random() < 0.5:
        entry = scene.pick(e for e in scene.document.resources.entries if "description" in e.options)
        said = str(entry.options["description"])
        return Mutation((scene.change(entry.span, said, long),), (entry.span,))
    prose, path = _library_prose(scene)
    return Mutation((Edit(prose, long),), (path,))


def _secret(scene: Scene) -> Mutation:
    secret = scene.rng.choice(
        ("AKIA" + "IOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 9, "xoxb-" + "1234567890-abc", "password=" + "hunter2hunter2")
    )
    if scene.rng.random() < 0.5:
        return Mutation((scene.add_text(f"Ask with {secret} today.\n"),))
    block = scene.pick(scene.document.blocks)
    at = scene.text.index("\n", scene.text.index("```", block.path_span.end)) + 1
    return Mutation((Edit(Span(at, at), f"# {secret}{scene.newline}"),))


MUTATIONS: Mapping[Code, Mutate] = {
    codes.TOO_LARGE: _too_large,
    codes.NOT_TEXT: _not_text,
    codes.NO_BLOCK: _no_block,
    codes.HEADING_WITHOUT_BLOCK: _heading_without_block,
    codes.HEADING_WITHOUT_PATH: _heading_without_path,
    codes.UNTERMINATED_BLOCK: _unterminated,
    codes.BAD_MARKER: _marker,
    codes.UNKNOWN_BLOCK_KIND: _unknown_kind,
    codes.UNATTACHED_SELF: _unattached,
    codes.WRONG_FENCE: _fence,
    codes.DOCUMENT_NODE_LIMIT: _many_nodes,
    codes.UNDESCRIBED_LIBRARY: _undescribed,
    codes.SECRET_IN_TEXT: _secret,
    codes.LONG_DESCRIPTION: _long_description,
    codes.UNUSED_SUPPRESSION: _unused_suppression,
    codes.BROKEN_SUPPRESSION: _broken_suppression,
}
"""Rule → what breaks it."""
