"""Upper bounds of what it can cost to finish a document: where one fits, no exact cost has to be known.

A completion is the rest of the line, the rest of the node, one closing node for each node that is named, and the
footer. The cost of a whole is at most the sum of the costs of its parts, so parts are counted once and added up. The
bound of a place holds whatever the next token is: it takes the dearest node and names two nodes more than are named.
`docs/decisions/0009-no-dead-ends.md` has the argument; a test holds it on random walks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from agentic_dsl.compiler.grammar.argument_values import Allowed
from agentic_dsl.node_table import FieldKind, Join, Start, ToolCall
from agentic_dsl.runtime.matcher.catalogue import PlannedParameter, PlannedTool
from agentic_dsl.runtime.matcher.completion import IMPOSSIBLE, costs
from agentic_dsl.runtime.matcher.context import Env, intersect
from agentic_dsl.runtime.matcher.frames import Frame, finish
from agentic_dsl.runtime.matcher.guards import ALWAYS
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.nodes import FOOTER, NODE, POLICY, border, called, of_type, types
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.state import Draft, InEdge
from agentic_dsl.runtime.matcher.vocabulary_trie import VocabularyTrie

_PUNCTUATION = 24
"""Bytes that close whatever stands in a line besides the longest thing in it: quotes, brackets, an escape, a number."""

_FEWEST_NODES = 4
"""Where a block can have fewer nodes, the sample documents below are not possible."""

_SCALAR = 24
"""Bytes of the shortest value of any kind: a number, a template, an empty text or list."""

_MANY_TOOLS = 64
"""With more tools than this the cost of their arguments is bounded by bytes, which takes no time."""

_TYPE = b"type: "
"""Where a token spells this with more around it, it can declare a node and choose its type at once."""

_CLOSES = frozenset(POLICY[: POLICY.index(Join.TYPE)]) - {Start.TYPE}
"""Types of which the policy takes one for a named node without asking what other nodes are named.

A start is never a named node, and whether a join may stand depends on the others.
"""


_Standing = tuple[frozenset[str], frozenset[tuple[str, frozenset[str]]]]
"""What of a document decides how its nodes are closed: what is required, and what its permissions limit it to."""


def _standing(doc: Draft) -> _Standing:
    return doc.required, frozenset(doc.granted.items())


@dataclass(frozen=True)
class _Parts:
    """Costs under one set of required names: the dearest node, a new node that has nothing, the head of the block."""

    node: int
    new: int
    head: int


class Bounds:
    """Bounds for one plan and one vocabulary. Gains entries only, so matchers of several threads may share it."""

    def __init__(self, plan: Plan, trie: VocabularyTrie) -> None:
        self._plan, self._trie, self._root = plan, trie, trie.root
        self._references: dict[str, int] = {}
        self._heads: dict[bytes, int] = {}
        self._parts: dict[_Standing, _Parts] = {}
        self._closing: dict[tuple[str, tuple[str, ...], _Standing], int] = {}
        self._pending: dict[tuple[str, int], tuple[tuple[InEdge, ...], int]] = {}

    def after_any_token(self, doc: Draft) -> int | None:
        """The most tokens, end token included, that finishing takes after any token that may come next.

        None where nothing is known: an answer of several blocks, or types with which names are closed in turns.
        """
        if not self._applies(doc):
            return None
        parts = self._of(doc)
        missing_nodes = max(0, self._plan.constraints.min_nodes - doc.total)
        name = self._reference + parts.new
        fixed = self._line + parts.node + self._calls + self._names * name + self._footer
        head = parts.head if doc.is_first else 0
        return head + fixed + missing_nodes * (parts.node + name) + self._waiting(doc) + self._closing_all(doc)

    def _closing_all(self, doc: Draft) -> int:
        """The most that closing every named node takes; without the footer."""
        return sum(self._closing_one(doc, name, edges) for name, edges in doc.pending.items())

    @cached_property
    def _footer(self) -> int:
        return self._cost(FOOTER) + 1

    def _applies(self, doc: Draft) -> bool:
        plan = self._plan
        if plan.constraints.max_subgraphs > 1 or plan.limit < _FEWEST_NODES or not _CLOSES.intersection(plan.types):
            return False
        if plan.writes_signature and doc.is_first:
            return False
        return plan.writes or doc.required <= doc.begin.origins.keys()

    def applies(self, doc: Draft) -> bool:
        """Whether the policy closes each named node by itself, so that their costs add up."""
        return self._applies(doc) and doc.total >= self._plan.constraints.min_nodes

    def completion(self, frame: Frame, enough: int = 0) -> int:
        """A bound of what completing a frame costs, end token included; `IMPOSSIBLE` where none is known.

        A bound below ``enough`` need not be as low as it could be.
        """
        text = b""
        while not frame.is_final:
            piece, frame = frame.policy()
            text += piece
            if piece.endswith(NODE) and not frame.doc.is_first:
                if not self.applies(frame.doc):
                    return IMPOSSIBLE
                rest = self._closing_all(frame.doc) + self._footer
                most = len(text) + rest
                return most if most < enough else self._head(text) - 1 + rest
            if piece.endswith(FOOTER) and not frame.is_final:
                return IMPOSSIBLE
        return len(text) + 1 if len(text) + 1 < enough else self._head(text)

    def _head(self, text: bytes) -> int:
        """The cost of a text with an end token; from one token to the next it is often the same text."""
        if (cost := self._heads.get(text)) is None:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            cost = self._heads[text] = costs(self._root, text).total
        return cost

    # --- parts -------------------------------------------------------------------------------------------------------

    def _cost(self, text: bytes) -> int:
        """The cost of a text, or of its dearest end, without an end token."""
        return max(costs(self._root, text).at) - 1

    @cached_property
    def _lenient(self) -> Plan:
        """The plan without a fewest number of nodes."""
        constraints = self._plan.constraints.model_copy(update={"min_nodes": 1})
        return replace(self._plan, constraints=constraints)

    def _of(self, doc: Draft) -> _Parts:
        key = _standing(doc)
        if (parts := self._parts.get(key)) is None:
            parts = self._parts[key] = _Parts(
                node=max(map(self._cost, self._nodes(doc))),
                new=self._cost(self._closed(doc, "a", {})) + self._plan.max_word,
                head=self._cost(finish(start(self._lenient)).partition(b"\nnodes:\n")[0]) + 4,
            )
        return parts

    def _sample(self, like: Draft, name: str, origins: Mapping[str, object]) -> Draft:
        """A document of the same standing with one declared node that has named another."""
        doc: Draft = start(self._lenient).doc
        edge = InEdge(0, "r", True, ALWAYS, Env({**doc.begin.origins, **origins}))
        doc = doc._replace(required=like.required, granted=like.granted)
        return doc._replace(n=1, ids=frozenset({"r"}), pending={name: (edge,)})

    def _closed(self, like: Draft, name: str, origins: Mapping[str, object]) -> bytes:
        """How the policy closes a node."""
        return finish(border(self._sample(like, name, origins))).removesuffix(FOOTER)

    def _nodes(self, like: Draft) -> Iterator[bytes]:
        """Every node as the policy would write it from its type on, with what is required and without."""
        for names in {like.required, frozenset[str]()}:
            doc = self._sample(like._replace(required=names), "x", {}).declared("x")
            for type_name in types(doc):
                if type_name == ToolCall.TYPE and self._plan.tools:
                    yield from self._tool_calls(doc, self._plan.tools)
                else:
                    yield type_name.encode() + b"\n" + finish(of_type(type_name, doc))

    def _tool_calls(self, doc: Draft, tools: tuple[PlannedTool, ...]) -> Iterator[bytes]:
        number = next(n for n, line in enumerate(self._plan.lines[ToolCall.TYPE]) if line.field.kind is FieldKind.NAME)
        doc = doc.typed(ToolCall.TYPE)
        shown = tools if len(tools) <= _MANY_TOOLS else (max(tools, key=_call_bytes),)
        for tool in shown:
            yield b"tool_call\n    tool: " + tool.printed + b"\n" + finish(called(number, tool, doc))

    @cached_property
    def _line(self) -> int:
        """What surely finishes any line that is begun."""
        plan = self._plan
        pieces: list[bytes] = [*map(str.encode, (*plan.ends, *(given.text for given in plan.permissions)))]
        for lines in plan.lines.values():
            for line in lines:
                pieces += [line.text, *(choice.encode() for choice in line.field.choices)]
        dearest = max(self._cost(piece) for piece in pieces)
        calls = max((_bytes_of_call(call.reference, call.inputs) for call in plan.calls), default=0)
        tools = max(map(self._in_tool, plan.tools or ()), default=0)
        # A header may be followed by the line below it.
        return _PUNCTUATION + dearest + max(self._name, self._reference, calls, tools)

    @cached_property
    def _name(self) -> int:
        """The rest of a name in a template; names that nodes have written are words."""
        plan = self._plan
        given = [*plan.begin.origins, *(name for call in plan.calls for name in call.outputs)]
        return max((self._cost(name.encode()) for name in given), default=0) + plan.max_word + len("$.inputs.")

    def _in_tool(self, tool: PlannedTool) -> int:
        """Bytes that finish what stands in the lines of a tool: its name, an argument, a field of its result."""
        longest = [len(tool.printed), _longest_name(tool.returns)]
        longest += [_line_bytes(given) for given in tool.parameters or ()]
        if len(self._plan.tools or ()) > _MANY_TOOLS or tool.rules is not None:
            longest.append(_call_bytes(tool))
        return max(longest)

    @cached_property
    def _calls(self) -> int:
        """What bringing required names by library calls can take."""
        if not self._plan.obtainable:
            return 0
        return sum(_bytes_of_call(call.reference, call.inputs) for call in self._plan.calls)

    @cached_property
    def _reference(self) -> int:
        return self._cost(self._plan.prefix) + self._plan.max_word + 4

    @cached_property
    def _names(self) -> int:
        """New nodes that one token can name: another one needs a whole path between."""
        return 2 if self._trie.spells(self._plan.prefix) else 1

    def _waiting(self, doc: Draft) -> int:
        """The ``wait_for`` of the current node, or of any one of those that are named."""
        if "join" not in self._plan.types:
            return 0
        groups = [doc.node.edges if doc.node.type in ("", "join") else ()]
        if self._trie.spells(_TYPE):
            groups.append(max(doc.pending.values(), key=len, default=()))
        return max(sum(self._reference_to(edge.source_id) for edge in edges) for edges in groups)

    def _reference_to(self, name: str) -> int:
        if (cost := self._references.get(name)) is None:
            cost = self._references[name] = self._cost(self._plan.prefix + name.encode() + b'", "')
        return cost

    def _closing_one(self, doc: Draft, name: str, edges: tuple[InEdge, ...]) -> int:
        key = (name, id(edges))
        if (known := self._pending.get(key)) is not None:
            return known[1]
        env = intersect([edge.env for edge in edges], doc.n)
        missing = env.missing(doc.required)
        kind = (name, missing, _standing(doc))
        if (cost := self._closing.get(kind)) is None:
            there = dict.fromkeys(doc.required.difference(missing), object())
            cost = self._closing[kind] = self._cost(self._closed(doc, name, there))
        if len(self._pending) > _MOST_PENDING:
            self._pending.clear()
        self._pending[key] = edges, cost  # the edges are kept, so that their number stays theirs
        return cost


_MOST_HEADS = 4096
"""Texts of which the cost is kept."""

_MOST_PENDING = 10_000
"""Named nodes that are remembered."""


def _bytes_of_call(reference: str, inputs: tuple[tuple[str, str, bool], ...]) -> int:
    return len(reference) + 8 + sum(len(name) + 8 for name, _, _ in inputs)


def _call_bytes(tool: PlannedTool) -> int:
    """Bytes that surely suffice for the arguments that a call needs; rules of the tool may ask for any of them."""
    parameters = tool.parameters or ()
    return sum(_line_bytes(given) for given in parameters if given.required or tool.rules is not None)


def _line_bytes(given: PlannedParameter) -> int:
    """Bytes that surely suffice for an argument."""
    return len(given.text) + max(map(len, given.literals), default=0) + _value_bytes(given.allowed)


def _value_bytes(allowed: Allowed) -> int:
    """Bytes that surely suffice for the shortest value that goes on from any beginning of one."""
    words = max((len(str(word).encode()) + 4 for word in allowed.words), default=0)
    texts = max((low for low, _ in allowed.texts), default=0)
    lists = max((each.low * (_value_bytes(each.items) + 2) for each in allowed.lists), default=0)
    return _SCALAR + max(words, texts, lists)


def _longest_name(schema: Any, depth: int = 0) -> int:
    """The longest name of a field anywhere in a schema."""
    if depth > 32:
        return 0
    if isinstance(schema, Mapping):
        return max((max(len(str(key)), _longest_name(value, depth + 1)) for key, value in schema.items()), default=0)
    if isinstance(schema, list | tuple):
        return max((_longest_name(value, depth + 1) for value in schema), default=0)
    return 0
