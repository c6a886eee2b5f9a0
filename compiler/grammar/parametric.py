"""Constraints → a Lark grammar that admits only graphs: acyclic, connected, nothing dangling, counted right.

llguidance's rules may carry one number of 64 bits, test its bits and hand a changed number on. The node ids here are
the words ``n1`` … ``nN``, N at most 32. For the id number i (from 0), bit i says "referenced and not declared
yet", bit 32 + i "declared":

- a reference may name any id that is not declared, and marks it. So references lead forward and no circle closes
- a later node takes an id that is marked. So every node is reachable, and no id comes up twice
- the footer may come only when nothing is marked. So nothing dangles

Everything after the choice must know of the mark, so rules hand the number on to *all* of the text that follows
(continuation-passing form): a list of references ends with the rest of the document. References of a list stand in
rising order, which makes them distinct without further bits.

There are no dead ends: a marked node can always be a writer or ``assert`` that goes to ``/__system__/end_soft``, or an
``end``. `held_rules` says which rules of the language hold by the grammar and which do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentic_dsl.compiler.grammar.emit_llguidance import ROOT, LarkText, lark_string
from agentic_dsl.compiler.grammar.ir import Expr, Grammar, Ref, Repeat, Seq, alt, references, seq
from agentic_dsl.compiler.grammar.layout import FOOTER
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.prose import PROSE_RULE
from agentic_dsl.compiler.grammar.references import targets_of
from agentic_dsl.compiler.grammar.regular import without_recursion
from agentic_dsl.compiler.grammar.request import node_types
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import NODE_TABLE, FieldKind, FieldSpec, Fork, Generated, Join, NodeSpec, Start

MOST_IDS = 32
"""Two bits of the 64 belong to each id."""

_DECLARED = 32
_MOST_SHOWN = 3
_CLOSE = "]\n"
_TYPE_KEY = lark_string("    type: ")


@dataclass(frozen=True, slots=True)
class ParametricGrammar:
    """A grammar whose texts are valid graphs.

    Attributes:
        text: Lark for llguidance.
        ids: the node ids that it uses; as many as there may be nodes.
        types: the node types that it uses.
    """

    text: str
    ids: tuple[str, ...]
    types: tuple[str, ...]


def emit_parametric(constraints: Constraints) -> ParametricGrammar:
    """The parametric grammar of plain constraints.

    Raises:
        ConstraintError: the constraints ask for what this form cannot enforce, or admit no document in it.
    """
    types = _types(constraints)
    _require_plain(constraints, types)
    count = constraints.max_nodes
    if not _can_close(set(types) - {Start.TYPE}):
        count = 1  # nothing but the first node could be written
    return ParametricGrammar(_Emitter(constraints, types, count).text(), _ids(count), types)


def _ids(count: int) -> tuple[str, ...]:
    return tuple(f"n{number}" for number in range(1, count + 1))


def _types(constraints: Constraints) -> tuple[str, ...]:
    return tuple(name for name in node_types(constraints) if name != Join.TYPE)


def _require_plain(constraints: Constraints, types: tuple[str, ...]) -> None:
    if constraints.max_nodes > MOST_IDS:
        raise ConstraintError(
            f"max_nodes is {constraints.max_nodes:,}, and a grammar with parameters has no more than {MOST_IDS} ids",
            help=f"set max_nodes to {MOST_IDS} or less, or compile for another dialect",
        )
    asked = {
        "several subgraphs": constraints.max_subgraphs > 1,
        "library calls": bool(constraints.libraries),
        "required outputs": bool(constraints.context and constraints.context.required_outputs),
        "a signature": constraints.signature is not None or constraints.block_path.is_library,
        "targets below its own path": any(t.startswith(f"{constraints.path}/") for t in constraints.targets),
    }
    if reasons := [what for what, wanted in asked.items() if wanted]:
        raise ConstraintError(
            f"a grammar with parameters cannot enforce {' and '.join(reasons[:_MOST_SHOWN])}",
            help="compile for another dialect, whose matcher enforces them",
        )
    if not _can_close(set(types)):
        raise ConstraintError(
            f"nothing generated here can end a path: the types left are {', '.join(types) or 'none'}",
            help="allow another node type, such as end",
        )
    if constraints.min_nodes > 1 and not any(map(_goes_on, set(types) - {Start.TYPE})):
        raise ConstraintError(
            f"min_nodes is {constraints.min_nodes}, and no type allowed leads on to exactly one more node",
            help="allow a type with a next, or set min_nodes to 1",
        )


def _can_close(types: set[str]) -> bool:
    return any(NODE_TABLE[name].is_end or _goes_on(name) for name in types)


def _goes_on(name: str) -> bool:
    """Whether a node of the type has a ``next`` in generated text."""
    return any(f.path == ("next",) and f.generated is not Generated.NEVER for f in NODE_TABLE[name].fields)


@dataclass(frozen=True, slots=True)
class _Tail:
    """The reference lines that end a node: the fields in order, with whether each may be left out."""

    fields: tuple[tuple[FieldSpec, bool], ...]

    @property
    def name(self) -> str:
        words = [f"{field.name}_or_not" if may_miss else field.name for field, may_miss in self.fields]
        return f"then_{'_'.join(words)}"

    @property
    def rest(self) -> _Tail:
        return _Tail(self.fields[1:])


class _Emitter:
    """Writes the rules of one grammar; used once."""

    def __init__(self, constraints: Constraints, types: tuple[str, ...], count: int) -> None:
        self._constraints = constraints
        self._types = types
        self._count = count
        self._ends = targets_of(constraints, ()).ends
        self._tails: dict[str, _Tail] = {}
        plain = lower(constraints)
        rules = dict(plain.rules)
        self._tail_of: dict[str, _Tail] = {}
        for name in types:
            body, self._tail_of[name] = _split(NODE_TABLE[name], rules[f"node_{name}"])
            rules[_body(name)] = body
        self._prose = (PROSE_RULE,) if constraints.allow_free_text else ()
        parts = ("header", *map(_body, types), *self._prose)
        rules["plain"] = alt(*map(Ref, parts))
        self._lark = LarkText(without_recursion(Grammar.reachable(rules, "plain")))

    def text(self) -> str:
        """The whole grammar."""
        ids = _ids(self._count)
        define = self._lark.define
        first = f"{self._id_line(ids[0])} {_TYPE_KEY} entry::{1 << _DECLARED:#x}"
        define(ROOT, _choice([f"{self._lark.part('header')} {first}", *map(self._lark.part, self._prose)]))
        define("entry::_", self._typed(self._types))
        later = tuple(name for name in self._types if name != Start.TYPE)
        if self._count > 1:
            define("typed::_", self._typed(later))
            for number in range(1, self._count):
                # A rule of one symbol alone would be inlined by llguidance 1.9, and its change of the number lost.
                define(f"node_{number + 1}::_", f"{_TYPE_KEY} typed::set_bit({_DECLARED + number})")
        define("nodes::_", _choice(self._nodes()))
        waiting = [tail for name in self._types if (tail := self._tail_of[name]).fields]
        written: set[str] = set()
        while waiting:
            tail = waiting.pop(0)
            if tail.name not in written:
                written.add(tail.name)
                define(f"{tail.name}::_", _choice(self._tail(tail)))
                waiting.extend([tail.rest] if tail.rest.fields else [])
        if self._count > 1:
            self._define_lists()
        return self._lark.text()

    def _id_line(self, word: str) -> str:
        return lark_string(f"  - id: {word}\n")

    def _nodes(self) -> Iterator[str]:
        """The rest of the document at a border between nodes."""
        yield f"{lark_string(FOOTER)} %if {self._nothing_marked}"
        for number, word in self._later_ids:
            yield f"{self._id_line(word)} node_{number + 1}::clear_bit({number}) %if bit_set({number})"

    def _typed(self, types: tuple[str, ...]) -> str:
        """A node from its type on, with everything after it."""
        ways = []
        for name in types:
            line = lark_string(f"{name}\n")
            tail = self._tail_of[name]
            parts = [line, self._lark.part(_body(name)), f"{tail.name}::_" if tail.fields else "nodes::_"]
            condition = ""
            if name == Fork.TYPE:
                if self._count < 3:  # itself and two branches
                    continue
                condition = f" %if bit_count_le({self._declared}, {self._count - 2})"
            elif NODE_TABLE[name].is_end:
                condition = self._may_end
            ways.append(" ".join(filter(None, parts)) + condition)
        return _choice(ways)

    def _tail(self, tail: _Tail) -> Iterator[str]:
        """The ways to write the reference lines of a tail."""
        (field, may_miss), rest = tail.fields[0], tail.rest
        after = f"{rest.name}::" if rest.fields else "nodes::"
        indent = "    " + "  " * (len(field.path) - 1)
        key = f"{indent}{field.path[-1]}: "
        more = f" %if {self._some_left(0)}"
        match field.kind:
            case FieldKind.REFERENCE:
                for end in self._ends:
                    yield lark_string(f'{key}"{end}"\n') + f" {after}_"
                for number, word in self._later_ids:
                    line = lark_string(f'{key}"{self._constraints.path}/{word}"\n')
                    yield f"{line} {after}set_bit({number}) %if bit_clear({_DECLARED + number})"
            case FieldKind.REFERENCES:
                if field.path == ("next",):
                    for end in self._ends:
                        yield lark_string(f'{key}["{end}"]\n') + f" {after}_{self._may_end}"
                if self._count > 1:
                    kind = "items" if field.path == ("next",) else "branches"
                    yield lark_string(f'{key}["{self._constraints.path}/') + f" {kind}_2::_{more}"
            case _:
                raise _beyond(f'"{field.name}" holds references of the kind {field.kind.value}')
        if may_miss:
            yield f"{after}_"

    def _define_lists(self) -> None:
        """Lists of references: ``items_k`` is an id from k upwards, then the rest of the list and of the document."""
        define = self._lark.define
        comma = lark_string(f', "{self._constraints.path}/')
        close = f"{lark_string(_CLOSE)} nodes::_"
        for number, word in self._later_ids:
            k = number + 1
            item, free = lark_string(f'{word}"'), f"bit_clear({_DECLARED + number})"
            here = f"{item} after_{k}::set_bit({number}) %if {free}"
            if k == self._count:
                define(f"items_{k}::_", here)
                define(f"after_{k}::_", close)
                continue
            some = self._some_left(number + 1)
            define(f"items_{k}::_", _choice([here, f"items_{k + 1}::_"]))
            define(f"after_{k}::_", _choice([close, f"{comma} items_{k + 1}::_ %if {some}"]))
            if Fork.TYPE not in self._types:
                continue
            first = f"{item} second_{k}::set_bit({number}) %if and({free}, {some})"
            define(f"branches_{k}::_", _choice([first, f"branches_{k + 1}::_"] if k + 1 < self._count else [first]))
            define(f"second_{k}::_", f"{comma} items_{k + 1}::_")

    @property
    def _later_ids(self) -> list[tuple[int, str]]:
        """Number and word of every id but the first, which nothing can refer to."""
        return list(enumerate(_ids(self._count)))[1:]

    # --- conditions ---

    @property
    def _declared(self) -> str:
        return f"[{_DECLARED}:{_DECLARED + self._count}]"

    @property
    def _nothing_marked(self) -> str:
        return f"is_zeros([0:{self._count}])"

    @property
    def _may_end(self) -> str:
        """A path may end here: there are nodes enough, or one is left that can lead on to more."""
        if self._constraints.min_nodes == 1:
            return ""
        return f" %if or(bit_count_ge(_, {self._constraints.min_nodes}), not({self._nothing_marked}))"

    def _some_left(self, number: int) -> str:
        """An id from this number on is not declared."""
        return f"not(is_ones([{_DECLARED + number}:{_DECLARED + self._count}]))"


def _beyond(what: str) -> ConstraintError:
    """The node table has a field that this form cannot mark; no constraint of today leads here."""
    return ConstraintError(
        f"a grammar with parameters cannot follow every reference: {what}",
        help="leave that node type out, or compile for another dialect",
    )


def _body(name: str) -> str:
    return f"body_{name}"


def _split(spec: NodeSpec, expr: Expr) -> tuple[Expr, _Tail]:
    """A node's lines below its type: those before the references, and the references.

    Raises:
        ConstraintError: a reference stands before other lines, where nothing could be handed on.
    """
    fields = {
        f"{'_'.join(field.path)}_field": field
        for field in spec.fields
        if field.kind in (FieldKind.REFERENCE, FieldKind.REFERENCES) and field.generated is not Generated.NEVER
    }
    parts = list(expr.items if isinstance(expr, Seq) else (expr,))
    tail: list[tuple[FieldSpec, bool]] = []
    while parts:
        match parts[-1]:
            case Ref(name) if name in fields:
                tail.append((fields[name], False))
            case Repeat(Ref(name), 0, 1) if name in fields:
                tail.append((fields[name], True))
            case _:
                break
        parts.pop()
    body = seq(*parts)
    if any(name in fields for name in references(body)):
        raise _beyond(f"a reference of {spec.type} stands before other lines")
    return body, _Tail(tuple(reversed(tail)))


def _choice(ways: list[str] | Iterator[str]) -> str:
    """Alternatives, one a line: a condition reaches to the end of its alternative."""
    return "\n    | ".join(ways)
