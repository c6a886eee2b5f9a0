"""Nodes: ``- id:``, ``type:`` and the lines of a type, driven by the node table.

Every function gives the frame from some line on. A line is offered only where the document can be finished after it.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, assert_never

from agentic_dsl.compiler.grammar.value_rules import ANY, Shape, shape
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.node_table import NODE_TABLE, Assert, FieldKind, FieldSpec, GenerateSubgraph, Slot, ToolCall
from agentic_dsl.runtime.matcher.argument_lines import argument_lines
from agentic_dsl.runtime.matcher.catalogue import UNKNOWN_TOOL, PlannedTool
from agentic_dsl.runtime.matcher.frames import Fixed, Frame, Option, Then, Words, choice
from agentic_dsl.runtime.matcher.node_lines import Line, lines_of
from agentic_dsl.runtime.matcher.open_words import PLAIN, WORD, OpenWord
from agentic_dsl.runtime.matcher.output_keys import mapping_entries, output_keys, wants_mapping
from agentic_dsl.runtime.matcher.paths import DynamicPath
from agentic_dsl.runtime.matcher.plan import END_ID
from agentic_dsl.runtime.matcher.references import (
    FEWEST_BRANCHES,
    branches,
    can_handle,
    handler,
    new_id,
    successors,
)
from agentic_dsl.runtime.matcher.state import can_pad
from agentic_dsl.runtime.matcher.templates import condition, template
from agentic_dsl.runtime.matcher.texts import Text, whole_template
from agentic_dsl.runtime.matcher.values import value
from agentic_dsl.runtime.matcher.written_keys import more_keys, written_key

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft

NODE = b"  - id: "
FOOTER = b"# --- END AgenticDSL ---\n```\n"

_VALUES_IN_YAML = frozenset(
    "".join(chars) for word in YAML_WORDS for chars in product(*({char, char.upper()} for char in word))
)
"""Words that YAML reads as values, in every mixture of cases: the formatter quotes them, so no key is one."""

POLICY = (
    "end",
    "start",
    "assert",
    "assign",
    "codelet_call",
    "join",
    "dsl_call",
    "tool_call",
    "generate_subgraph",
    "fork",
)
"""The order in which the completion policy takes types, cheap nodes first."""

_WRITERS_FIRST = tuple(sorted(POLICY, key=lambda name: not any(field.writes for field in NODE_TABLE[name].fields)))
"""The same where something that is required has to be written yet."""


# --- borders, ids, types ---------------------------------------------------------------------------------------------


def border(doc: Draft) -> Frame:
    """Between two nodes: the next one where one is named, else the end of the block."""
    if not doc.is_first and not doc.pending:
        return Fixed(doc, FOOTER, doc.block.then)
    return Fixed(doc, NODE, identify)


def identify(doc: Draft) -> Frame:
    """The id of a node: the first one's is new, another one's has been named."""
    if doc.is_first:
        first = doc.declared("a")
        known = [END_ID] if _may_be_end(doc) else []
        if known and first.stays and types(first) != (END_ID,):
            return new_id(doc, b"\n", _identified, (), fresh=True, end_too=True)
        return new_id(doc, b"\n", _identified, known, fresh=types(first) != ())
    known = [name for name in doc.pending if name != END_ID or _may_be_end(doc)]
    return new_id(doc, b"\n", _identified, known, fresh=False)


def _may_be_end(doc: Draft) -> bool:
    """Whether the node ``end`` may be declared here; as the first node it has not been named."""
    named = END_ID in doc.pending
    reserved = END_ID in doc.block.reserved
    if doc.is_first and (END_ID not in doc.plan.types or len(END_ID) > doc.plan.max_word or reserved):
        return False
    pads = can_pad(doc, doc.n + 1, len(doc.pending) - named, False)
    return pads and (named or not doc.begin.lacks(doc.required))


def _identified(doc: Draft, name: str) -> Frame:
    doc = doc.declared(name)
    options: list[Option] = [(f"{type_name}\n".encode(), partial(of_type, type_name)) for type_name in types(doc)]
    return Fixed(doc, b"\n    type: ", lambda doc: choice(doc, options))


def types(doc: Draft) -> tuple[str, ...]:
    """The types that the current node may have, in the order of the policy."""
    holds = not doc.env_of("").lacks(doc.required)
    if doc.node.id == END_ID:
        return (END_ID,)
    order = POLICY if holds else _WRITERS_FIRST
    allowed = [name for name in doc.plan.types if _may_have_type(doc, name, holds)]
    stays = doc.stays

    def rank(name: str) -> tuple[bool, int]:
        return stays and name == END_ID, order.index(name) if name in order else len(order)

    return tuple(sorted(allowed, key=rank))


def _may_have_type(doc: Draft, name: str, holds: bool) -> bool:
    """The decision table's rows for ``type:``."""
    first = not doc.node.edges
    match name:
        case "end":
            return holds and doc.padded
        case "start":
            return first and _can_lead_on(doc, name)
        case "assert":
            return _can_lead_on(doc, name)
        case "fork":
            if not holds and not doc.recovers:
                return False
            named = len(doc.pending) - (END_ID in doc.pending and not holds)
            return named + max(doc.slots - len(doc.pending), 0) >= FEWEST_BRANCHES
        case "join":
            return doc.may_join and _can_lead_on(doc, name)
        case _:
            return True


def _can_lead_on(doc: Draft, name: str) -> bool:
    """Whether a node that writes nothing can end its path, or name another node."""
    env = doc.env_of(name)
    if not env.lacks(doc.required - doc.plan.obtainable):
        return True
    return doc.onward(False)


def of_type(type_name: str, doc: Draft) -> Frame:
    """Behind ``type:`` and its value: the lines of the type."""
    return _lines(doc.typed(type_name), 0)


# --- lines -----------------------------------------------------------------------------------------------------------


def _lines(doc: Draft, at: int) -> Frame:
    """The lines from a position of the type's list on."""
    return choice(doc, _line_options(doc, at))


def _line_options(doc: Draft, at: int) -> list[Option]:
    """Every line that may come next, the one of the policy first."""
    lines = lines_of(doc.node.type)
    wanted: list[Option] = []
    others: list[Option] = []
    missing = bool(doc.wanted_keys) and not NODE_TABLE[doc.node.type].is_end
    instead = next((number + 1 for number in range(at, len(lines)) if lines[number].alternative), None)
    """The line that may stand instead of the one before it."""
    for number in range(at, len(lines)):
        line = lines[number]
        # The policy writes what it must, and what is required as soon as it can.
        needed = line.always or (missing and line.field.writes) or _resolves_conflict(doc, line)
        if _may_stand(doc, line):
            is_second = line.alternative and wants_mapping(doc)
            (wanted if needed and not is_second else others).append((line.text, partial(_line, number)))
        if number == instead or (line.always and not line.alternative) or _resolves_conflict(doc, line):
            return [*wanted, *others]
    return [*_after_node_options(doc), *wanted, *others]


def _after_node_options(doc: Draft) -> list[Option]:
    """What comes after a node whose remaining lines are all optional."""
    frame = border(doc)
    assert isinstance(frame, Fixed)  # a border offers one thing
    return [(frame.text, frame.then)]


def _may_stand(doc: Draft, line: Line) -> bool:
    """Whether the document can be finished after a line, given that those before it are done or left out."""
    if line.field.slot >= Slot.HANDLER and doc.owed and not doc.onward(False):
        return False
    match line.field.kind:
        case FieldKind.REFERENCE:
            return can_handle(doc)
        case FieldKind.CHOICE:
            return bool(_choices(doc, line.field))
        case FieldKind.TEXT if (doc.node.type, line.field.name) == (GenerateSubgraph.TYPE, "namespace_prefix"):
            return DynamicPath.fits(doc)
        case FieldKind.KEYS if not line.field.writes:
            return bool(_selectable(doc))
        case _:
            return True


def _resolves_conflict(doc: Draft, line: Line) -> bool:
    return line.field.name == "merge_strategy" and doc.conflicting


def _line(number: int, doc: Draft) -> Frame:
    """The value of a line, and what follows it."""
    field = lines_of(doc.node.type)[number].field
    then: Then = partial(_after, number)
    end: Then = lambda doc: Fixed(doc, b"\n", then)  # noqa: E731  # a continuation
    match field.kind:
        case FieldKind.KEYS:
            return _keys(doc, field, number, then)
        case FieldKind.REFERENCES:
            return _references(doc, field, then)
        case FieldKind.REFERENCE:
            return handler(doc, then)
        case FieldKind.CHOICE:
            return Words(doc, tuple(sorted(choice.encode() for choice in _choices(doc, field))), end)
        case FieldKind.TEXT:
            return _text(doc, field, end)
        case FieldKind.NAME:
            return _name(doc, field, number)
        case FieldKind.VALUES:
            if (doc.node.type, field.name) == (ToolCall.TYPE, "output_mapping"):
                return mapping_entries(doc.with_keys(), lambda doc: _line_options(doc, number + 1))
            return _entry(number, doc.with_keys())
        case FieldKind.PARAMETERS:
            return _parameters(doc.with_keys(), field, number)
        case FieldKind.INTEGER:
            return value(doc, shape(["integer"]), end, templates=field.template)
        case (
            FieldKind.ID
            | FieldKind.DATA
            | FieldKind.WAIT
            | FieldKind.PERMISSIONS
            | FieldKind.SIGNATURE
            | FieldKind.ARCHIVE
        ):
            raise NotImplementedError(f"no generated field is of the kind {field.kind.value}")
        case _:
            assert_never(field.kind)


def _after(number: int, doc: Draft) -> Frame:
    """Behind a line: the next one, or the border behind the last."""
    if number + 1 == len(lines_of(doc.node.type)):
        return border(doc)
    return _lines(doc, number + 1)


def _choices(doc: Draft, field: FieldSpec) -> list[str]:
    """The words of a choice that generated text may print here."""
    words = [word for word in field.choices if word != field.default]
    if field.name == "merge_strategy":
        words.remove("last_write_wins")  # not in prod
        if doc.conflicting:
            words.remove("error_on_conflict")
    return words


def _text(doc: Draft, field: FieldSpec, end: Then) -> Frame:
    most = doc.plan.max_text
    if (doc.node.type, field.name) == (Assert.TYPE, "condition"):
        frame = whole_template(doc, condition(doc.node.env), most, end)
        assert frame is not None  # asserts are allowed only where a template fits
        return frame
    if (doc.node.type, field.name) == (GenerateSubgraph.TYPE, "namespace_prefix"):
        return DynamicPath.begin(doc, end)
    return Text(doc, end, most=most, least=1, template=template(doc.node.env) if field.template else None)


# --- names, tools ----------------------------------------------------------------------------------------------------


def _name(doc: Draft, field: FieldSpec, number: int) -> Frame:
    """The name of a tool, model or runtime, and for a tool its arguments."""
    is_tool = (doc.node.type, field.name) == (ToolCall.TYPE, "tool")
    if is_tool and doc.plan.tools is not None:
        names = doc.limits("tool")
        tools = [tool for tool in doc.plan.tools if names is None or tool.name in names]
        options = [(tool.printed + b"\n", partial(called, number, tool)) for tool in tools]
        return choice(doc, sorted(options, key=lambda option: len(option[0])))
    names = doc.limits(field.name)
    then: Then = partial(called, number, UNKNOWN_TOOL) if is_tool else partial(_after, number)
    return OpenWord(
        doc,
        PLAIN,
        b"\n",
        lambda doc, _: Fixed(doc, b"\n", then),
        limit=doc.plan.max_text,
        known=sorted(names or ()),
        fresh=names is None,
        taken=(YAML_WORDS,),
        any_case=True,
    )


def called(number: int, tool: PlannedTool, doc: Draft) -> Frame:
    """Behind the name of a tool: its arguments."""
    doc = doc._replace(node=doc.node._replace(tool=tool)).with_keys()
    if tool.parameters is None:
        header = b"    arguments:\n"
        return choice(doc, [*_line_options(doc, number + 1), (header, partial(_free_argument, number))])
    if not tool.parameters:
        return _after(number, doc)
    return argument_lines(doc, tool, lambda doc: _line_options(doc, number + 1))


def _free_argument(number: int, doc: Draft) -> Frame:
    """``arguments:`` of a tool about which nothing is known, after its header."""

    def given(doc: Draft, key: str) -> Frame:
        doc = doc.with_keys(doc.node.keys | {key})
        return Fixed(doc, b": ", lambda doc: value(doc, ANY, lambda doc: Fixed(doc, b"\n", more)))

    def more(doc: Draft) -> Frame:
        options = _line_options(doc, number + 1)
        return choice(doc, [*options, (b"      ", entry)])

    def entry(doc: Draft) -> Frame:
        taken = (_VALUES_IN_YAML, doc.node.keys)
        return OpenWord(doc, PLAIN, b":", given, limit=max(doc.plan.max_word, 3), taken=taken, alike=())

    return Fixed(doc, b"      ", entry)


# --- mappings --------------------------------------------------------------------------------------------------------


def _entry(number: int, doc: Draft) -> Frame:
    """An entry of a mapping that writes the context, from its indent on."""
    return Fixed(doc, b"      ", lambda doc: written_key(doc, b":", partial(_keyed, number)))


def _keyed(number: int, doc: Draft, key: str) -> Frame:
    doc = doc.writing(key, result=False)
    return Fixed(doc, b": ", lambda doc: value(doc, ANY, lambda doc: Fixed(doc, b"\n", partial(_after_entry, number))))


def _after_entry(number: int, doc: Draft) -> Frame:
    options = _line_options(doc, number + 1)
    if more_keys(doc):
        another = (b"      ", lambda doc: written_key(doc, b":", partial(_keyed, number)))
        options.insert(0 if doc.wanted_keys else len(options), another)
    return choice(doc, options)


def _parameters(doc: Draft, field: FieldSpec, number: int) -> Frame:
    """Some of a fixed list of keys, each at most once, in order."""
    names = tuple(field.parameters)

    def options(at: int) -> list[Option]:
        return [
            (f"      {name}: ".encode(), partial(given, position))
            for position, name in enumerate(names)
            if position >= at
        ]

    def given(position: int, doc: Draft) -> Frame:
        kind = field.parameters[names[position]]
        end: Then = lambda doc: Fixed(doc, b"\n", after)  # noqa: E731
        after: Then = lambda doc: choice(doc, [*_line_options(doc, number + 1), *options(position + 1)])  # noqa: E731
        if kind == "string":
            return Fixed(doc, b'"', lambda doc: Text(doc, end, most=doc.plan.max_text, least=1))
        return value(doc, Shape(frozenset({kind})), end, templates=False)

    return choice(doc, options(0))


# --- keys and references ---------------------------------------------------------------------------------------------


def _selectable(doc: Draft) -> list[str]:
    """The names that an end may hand back."""
    return sorted(
        (n for n in doc.node.env.origins if doc.plan.is_key(n) and n not in doc.node.keys), key=lambda n: (len(n), n)
    )


def _keys(doc: Draft, field: FieldSpec, number: int, then: Then) -> Frame:
    if field.writes:
        later = any(line.field.writes for line in lines_of(doc.node.type)[number + 1 :])
        return output_keys(doc.with_keys(), then, more_to_come=later)
    return _selection(then, doc.with_keys())


def _selection(then: Then, doc: Draft) -> Frame:
    """``output_keys`` of an end, after the opening quote of one."""

    def chosen(doc: Draft, key: str) -> Frame:
        doc = doc.with_keys(doc.node.keys | {key})
        options: list[Option] = [(b'"]\n', then)]
        if _selectable(doc):
            options.append((b'", "', partial(_selection, then)))
        return choice(doc, options)

    return OpenWord(doc, WORD, b'"', chosen, limit=doc.plan.max_word, known=_selectable(doc), fresh=False)


def _references(doc: Draft, field: FieldSpec, then: Then) -> Frame:
    match field.path:
        case ("next",):
            return successors(doc.listing(), then)
        case ("fork", _):
            return branches(doc.listing(), then)
        case _:
            sources = [f'{doc.block.prefix.decode()}{edge.source_id}"' for edge in doc.node.edges]
            listed = ', "'.join(sources)
            return Fixed(doc, f"{listed}]\n".encode(), then)


__all__ = ["FOOTER", "NODE", "POLICY", "border", "called", "identify", "of_type", "types"]
