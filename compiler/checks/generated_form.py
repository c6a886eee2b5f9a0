"""The form of generated text: its fields, keys, words and lengths, for a document that was asked for.

Whatever is left out here normalises away, such as an old spelling. Without constraints these rules are silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.generated_fields import generated_fields
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.compiler.resolution import Place
from agentic_dsl.compiler.templates import strings_in
from agentic_dsl.constraints import Constraints
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import FieldSpec, Node
from agentic_dsl.signature import Data
from agentic_dsl.span import Span, SpanPath

WORD = re.compile(r"[a-z][a-z0-9_]*")
"""An id or context key of generated text."""

_END = "end"

_NEVER_IN_BLOCKS = ("requires", "version", "stability")
"""Keys that a block may have, and generated text lacks. An ``entry`` is the first node or a finding of another rule."""


def check_form(context: CheckContext) -> Iterator[Diagnostic]:
    """Fields, words and texts are ones that generated text has."""
    constraints = context.constraints
    if constraints is None:
        return
    for block in context.resolver.blocks:
        yield from _check_keys(block)
    named = frozenset((*constraints.targets, *(spec.path for spec in constraints.libraries)))
    for place in context.graph.places:
        yield from _check_fields(place)
        yield from _check_words(context, place, constraints, named)
        yield from _check_texts(place, constraints)


def _check_keys(block: Subgraph) -> Iterator[Diagnostic]:
    if block.single:
        yield codes.NOT_GENERATED_FORM.at(
            block.path_span, f'"{block.path}" is a single node', help="write graph_type: subgraph with nodes"
        )
        return  # its other keys are those of the node
    for key in _NEVER_IN_BLOCKS:
        if getattr(block, key):
            yield codes.NOT_GENERATED_FORM.at(
                block.key_at(key), f'"{block.path}" has {key}, which generated text never has', help=f"drop {key}"
            )
    for key in block.extra:
        yield codes.NOT_GENERATED_FORM.at(
            block.key_at(key), f'"{block.path}" has the unknown key "{key}"', help=f"drop {key}"
        )


def _check_fields(place: Place) -> Iterator[Diagnostic]:
    node: Node = place.node
    fields = generated_fields(node)
    for spec in fields.parameters:
        yield from _check_parameters(node, spec, getattr(node, spec.name))
    for spec in fields.never:
        value = getattr(node, spec.name)
        if value and value != spec.default:
            yield codes.NOT_GENERATED_FORM.at(
                node.key_at(*spec.path),
                f'node "{node.id}" has {spec.path[-1]}, which generated text never has',
                help=f"drop {spec.path[-1]}",
            )
    for key in node.extra:
        at = node.spans.key((key,)) or node.key_at(*key.split("."))  # below a key such as fork it holds both
        yield codes.NOT_GENERATED_FORM.at(at, f'node "{node.id}" has the unknown key "{key}"', help=f"drop {key}")


def _check_parameters(node: Node, spec: FieldSpec, value: Mapping[str, Data]) -> Iterator[Diagnostic]:
    for key in value:
        if key not in spec.parameters:
            yield codes.NOT_GENERATED_FORM.at(
                node.key_at(*spec.path, key),
                f'{spec.path[-1]} of node "{node.id}" has the unknown key "{key}"',
                help=f"drop {key}",
            )


def _check_words(
    context: CheckContext, place: Place, constraints: Constraints, named: frozenset[str]
) -> Iterator[Diagnostic]:
    """Ids and context keys are bounded words that no YAML reader takes for something else; ``named`` are targets."""
    node = place.node
    if not is_word(node.id, constraints):
        yield _wrong_word("id", node.id, context.id_span(place), constraints)
    elif place.path in named:
        yield codes.NOT_GENERATED_FORM.at(
            context.id_span(place),
            f'the id "{node.id}" puts a node in the place of "{place.path}", which may be referred to',
            help="choose another id",
        )
    elif node.id == _END and not node.spec.is_end:
        yield codes.NOT_GENERATED_FORM.at(
            context.id_span(place), f'the id "end" is a {node.type}', help="keep that id for an end node"
        )
    fields = generated_fields(node)
    for spec in fields.keys:
        for position, key in enumerate(getattr(node, spec.name)):
            if not is_word(key, constraints):
                yield _wrong_word("key", key, node.at(*spec.path, position), constraints)
    for spec in fields.written:
        for key in getattr(node, spec.name):
            if not is_word(key, constraints):
                yield _wrong_word("key", key, node.key_at(*spec.path, key), constraints)


def _wrong_word(what: str, word: str, span: Span, constraints: Constraints) -> Diagnostic:
    limit = constraints.max_identifier_chars
    if len(word) > limit:
        message = f'the {what} "{word}" has {len(word)} characters; max_identifier_chars is {limit}'
        return codes.TEXT_TOO_LONG.at(span, message, help="shorten it")
    return codes.NOT_GENERATED_FORM.at(
        span,
        f'the {what} "{word}" is no word of generated text',
        help="use lower-case letters, digits and _, and no word that YAML reads as a value",
    )


def is_word(word: str, constraints: Constraints) -> bool:
    """Whether an id, a key or the name of a further block is one of generated text."""
    return WORD.fullmatch(word) is not None and word not in YAML_WORDS and len(word) <= constraints.max_identifier_chars


def _check_texts(place: Place, constraints: Constraints) -> Iterator[Diagnostic]:
    limit = constraints.max_text_chars
    for path, text in texts_of(place.node):
        if len(text) > limit:
            yield codes.TEXT_TOO_LONG.at(
                place.node.at(*path),
                f'a text of node "{place.node.id}" has {len(text):,} characters; max_text_chars is {limit:,}',
                help="shorten it",
            )


def texts_of(node: Node) -> Iterator[tuple[SpanPath, str]]:
    """Every free text of a node, with its place: texts, names, and the strings inside values; inputs of calls too."""
    fields = generated_fields(node)
    for spec in fields.texts:
        if value := getattr(node, spec.name):
            yield from strings_in(spec.path, value)
    for spec in fields.references:
        for position, reference in enumerate(getattr(node, spec.name)):
            for _, given in reference.query:
                yield (*spec.path, position), given
