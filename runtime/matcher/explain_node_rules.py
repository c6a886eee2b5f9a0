"""Why the head of a block, a node, its type or one of its lines is not allowed.

Each function goes through what the matcher asks for there (`docs/decisions/0009-no-dead-ends.md`) and names the first
that does not hold.
"""

from __future__ import annotations

from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.compiler.grammar.request import excluded_by
from agentic_dsl.node_table import NODE_TABLE, FieldKind, Generated, GenerateSubgraph, Slot, ToolCall
from agentic_dsl.paths import Layer
from agentic_dsl.runtime.matcher.explain_place import Place, key_of
from agentic_dsl.runtime.matcher.explain_rule import COUNT, FEW, LAYOUT, OUTPUTS, Rule, arguments_of, made_up_word
from agentic_dsl.runtime.matcher.plan import END_ID

# --- the head, and the text behind the block --------------------------------------------------------------------------


def head_rule(place: Place) -> Rule:
    """Of the heading, the signature and the permissions."""
    expected = next(iter(place.offer.texts), "")
    if place.line.startswith("signature:") or expected.startswith("signature:") or place.word.startswith("signature:"):
        return Rule(
            "3",
            "the signature is the one asked for",
            codes.OTHER_SIGNATURE,
            ("signature",),
            layout=place.doc.plan.writes_signature,
        )
    if expected.startswith("###") and place.word.startswith("### AgenticDSL `"):
        return Rule("2", "the block stands at the path asked for", codes.OTHER_PATH, ("path",))
    if place.line.startswith("permissions:") or place.word.startswith("permissions:"):
        return Rule("3", "a block asks for no more than may be granted", codes.PERMISSION_NOT_GRANTED, ("permissions",))
    return LAYOUT


def done_rule(place: Place) -> Rule:
    """Of what stands behind the block."""
    if place.later.lstrip().startswith("#"):
        return Rule("1", "an answer is one block", codes.TOO_MANY_SUBGRAPHS, ("max_subgraphs",))
    return replace(LAYOUT, text="an answer is its block alone, without text around it")


# --- nodes -----------------------------------------------------------------------------------------------------------


def id_rule(place: Place) -> Rule:
    """Of an id where a node is declared."""
    doc, word = place.doc, place.word
    if doc.is_first:
        return made_up_word(place)
    if word in doc.ids:
        return Rule("5.1", "ids are unique", codes.DUPLICATE_ID)
    if word in doc.pending:
        return FEW
    return Rule("5.4", "every node is reachable: an earlier node names it", codes.UNREACHABLE)


def type_rule(place: Place) -> Rule:
    """Of a type."""
    doc, word = place.doc, place.word
    constraints = doc.plan.constraints
    if (spec := NODE_TABLE.get(word)) is None:
        return Rule("3", "node types are those of the language", codes.UNKNOWN_TYPE)
    if not spec.generated:
        return Rule("3", f"{word} is never generated", codes.TYPE_NOT_ALLOWED)
    if (reason := excluded_by(word, constraints)) is not None:
        return _excluded(place, reason)
    if doc.node.id == END_ID and not spec.is_end:
        return Rule("6", f'the id "{END_ID}" is an end node\'s', codes.NOT_GENERATED_FORM)
    if word not in doc.plan.types:
        return Rule("3", f"no {word} fits into the bounds of texts", codes.TEXT_TOO_LONG, ("max_text_chars",))
    if word == "join" and not doc.may_join:
        return _no_join(place)
    if word == "start" and doc.node.edges:
        return Rule("5.4", "a start is the first node", codes.MISPLACED_START)
    lacks = doc.env_of(word).lacks(doc.required)
    if spec.is_end:
        return OUTPUTS if lacks else FEW
    if lacks:
        return replace(OUTPUTS, fields=(*OUTPUTS.fields, "max_nodes"))
    return COUNT


def _excluded(place: Place, reason: str) -> Rule:
    """A type that the constraints rule out for the whole answer."""
    constraints, word = place.doc.plan.constraints, place.word
    allowed = constraints.allowed_node_types
    if allowed is not None and word not in allowed:
        return Rule("3", reason, codes.TYPE_NOT_ALLOWED, ("allowed_node_types",))
    namespace = constraints.block_path.namespace
    if namespace is not None and namespace.layer is Layer.KNOWLEDGE and NODE_TABLE[word].reaches_out:
        return Rule("3", reason, codes.LAYER, ("path",))
    if word == ToolCall.TYPE:
        return Rule("3", reason, codes.TOOL_NOT_ALLOWED, ("tools",))
    assert word == GenerateSubgraph.TYPE  # `excluded_by` has no other reasons
    return Rule("5.6", reason, codes.DEPTH_EXCEEDED, ("max_subgraph_depth",))


def _no_join(place: Place) -> Rule:
    edges = place.doc.node.edges
    if not edges:
        return Rule("5.5", "a join waits for earlier nodes", codes.JOIN_WAIT_FOR)
    if not all(edge.flow for edge in edges):
        return Rule("5.5", "every edge into a join is a flow edge", codes.JOIN_JUMP_EDGE)
    return Rule("5.5", "the edges into a join are taken under the same condition", codes.JOIN_GUARDS)


# --- lines -----------------------------------------------------------------------------------------------------------


def line_rule(place: Place) -> Rule:
    """Of a line of a node, of the next node, and of the end of the block."""
    doc = place.doc
    offered = {key for text in place.offer.texts if (key := key_of(text)) is not None}
    at_border = doc.is_first or any(text.startswith(("  - id:", "# ---")) for text in place.offer.texts)
    if key_of(place.word) in offered and not place.word.startswith("  - id:"):
        return replace(LAYOUT, text="every line has one layout")
    if not at_border and _missing(place, offered) is not None:
        return _missing_line(place, offered)
    key = key_of(place.word)
    if at_border and place.word.startswith("  - id:"):
        return Rule("5.4", "every node is reachable: an earlier node names it", codes.UNREACHABLE)
    if at_border and place.rest and "# --- END".startswith(place.word[:9].strip() or "?"):
        return Rule("5.2", "every reference resolves: each named node is declared", codes.DANGLING)
    if key is None or doc.node.type not in NODE_TABLE:
        return LAYOUT
    return _key_line(place, key, offered)


def _missing(place: Place, offered: set[str]) -> str | None:
    """A line that has to come before what is written, None where what is written is wrong itself."""
    key = key_of(place.word)
    lines = [line for line in place.doc.plan.lines[place.doc.node.type] if line.always] if place.doc.node.type else []
    keys = [line.field.path[0] for line in lines]
    own = {line.field.path[0] for line in place.doc.plan.lines[place.doc.node.type]} if place.doc.node.type else set()
    wanted = [name for name in (*keys, *_required_arguments(place)) if name in offered]
    border = place.word.startswith(("  - ", "# ---"))
    known = border or key in own or (place.doc.node.tool is not None and key in arguments_of(place))
    return wanted[0] if wanted and known and (border or key not in _written(place)) else None


def _missing_line(place: Place, offered: set[str]) -> Rule:
    name = _missing(place, offered) or ""
    if name in _required_arguments(place):
        return Rule("3", f"the argument {name} is required", codes.MISSING_ARGUMENT, ("tools",))
    field = next(line.field for line in place.doc.plan.lines[place.doc.node.type] if line.field.path[0] == name)
    if field.kind is FieldKind.REFERENCES:
        return Rule("5.4", f"every node but an end leads on: {name} is missing", codes.NO_SUCCESSOR)
    return Rule("3", f"every {place.doc.node.type} has {' or '.join(_names(place, name))}", codes.MISSING_FIELD)


def _names(place: Place, name: str) -> list[str]:
    spec = NODE_TABLE[place.doc.node.type]
    field = next(field for field in spec.fields if field.path[0] == name)
    return [name] if field.alternative is None else [name, field.alternative]


def _required_arguments(place: Place) -> list[str]:
    tool = place.doc.node.tool
    return [p.name for p in (tool.parameters or ()) if p.required] if tool is not None else []


def _written(place: Place) -> set[str | None]:
    """The keys that the node has so far, at the depth of the line."""
    depth = len(place.word) - len(place.word.lstrip())
    return {key_of(line) for line in place.above if len(line) - len(line.lstrip()) == depth}


def _key_line(place: Place, key: str, offered: set[str]) -> Rule:
    """A line that the node has not, or not here."""
    doc = place.doc
    if key in _written(place):
        return Rule("1", "a mapping has each key once", codes.DUPLICATE_KEY)
    if place.word.startswith("      "):
        if doc.node.tool is None or doc.node.tool.parameters is None or key in arguments_of(place):
            return LAYOUT
        return Rule("3", "a call has the arguments of its tool", codes.UNKNOWN_ARGUMENT, ("tools",))
    spec = NODE_TABLE[doc.node.type]
    field = next((field for field in spec.fields if field.path[0] == key), None)
    if field is None:
        # `condition` on a task: other types have it.
        known = any(f.path[0] == key for other in NODE_TABLE.values() for f in other.fields)
        return Rule("3", f"no {spec.type} has {key}", codes.FIELD_NOT_ALLOWED if known else codes.UNKNOWN_KEY)
    if spec.is_end and key == "next":
        return Rule("5", "an end leads nowhere", codes.END_HAS_SUCCESSOR)
    if field.generated is Generated.NEVER:
        return Rule("1", f"{key} is never generated", codes.NOT_GENERATED_FORM)
    if key in offered:
        return LAYOUT
    if field.slot >= Slot.HANDLER and doc.owed:
        return replace(OUTPUTS, fields=(*OUTPUTS.fields, "max_nodes"))
    if field.jump:
        return replace(OUTPUTS, fields=("max_nodes", *OUTPUTS.fields))
    if field.kind is FieldKind.KEYS and spec.is_end:
        return Rule("5.8", "an end hands back what is available", codes.UNKNOWN_NAME, ("context.available_vars",))
    return replace(LAYOUT, text="the keys of a node stand in canonical order")


__all__ = ["done_rule", "head_rule", "id_rule", "line_rule", "type_rule"]
