"""Requests that no document satisfies, refused before anything is generated, with what to change.

The questions are those that the semantic matcher asks before the first byte (decision 0009, no dead ends), so
what is compiled can also be generated: which types a node can be finished with, which names every end can come to have,
how many nodes can be reached, and which type the first of them can have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agentic_dsl.compiler.grammar.block_sizes import Span, can_reach
from agentic_dsl.compiler.grammar.request import Request, excluded_by
from agentic_dsl.compiler.grammar.tool_arguments import tool_arguments
from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import (
    GENERATED_TYPES,
    NODE_TABLE,
    Assert,
    End,
    Fork,
    Generated,
    Join,
    NodeSpec,
    Start,
    ToolCall,
)

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_FIRST, _REST = 26, 37
"""How many characters a word can begin with, and go on with."""

_COUNTED_CHARS = 4
"""Words of four characters are more than there can be nodes."""

_SHORTEST_TEMPLATE = "{{ now }}"
"""A template that can stand anywhere."""

_SHORTEST_BOOLEAN = "true"

_NO_CALL = "no call of a tool can be written that its schema surely allows"

_FORKED = 3
"""The fewest nodes of a block that begins with a fork: itself and two branches."""


def require_feasible(request: Request) -> None:
    """Refuses a request for which there is no valid answer.

    Raises:
        ConstraintError: no type is left, no path can end, there cannot be enough nodes, or an output cannot be written.
    """
    reach = Reach.of(request)
    _require_types(reach)
    _require_outputs(reach)
    if _free_words(request, reach.reserved) < 1:
        raise ConstraintError("no word is left for the id of a node", help="raise max_identifier_chars")
    if not reach.sizes:
        raise _no_beginning(reach)
    _require_nodes(reach)


@dataclass(frozen=True, slots=True)
class Reach:
    """What the first block of a request's answers can come to, or any other (`further`).

    Attributes:
        types: the node types with which a node can be finished, in the order of the node table.
        wanted: R, the names that must be there at every end, in the order in which they are asked for.
        there: the names that are there at the entry.
        obtainable: O, the names that library calls write whatever the context holds.
        reserved: words that no node may have as its id, as something else stands in their place.
    """

    request: Request
    types: tuple[str, ...]
    wanted: tuple[str, ...]
    there: frozenset[str]
    obtainable: frozenset[str]
    reserved: frozenset[str]

    @classmethod
    def of(cls, request: Request) -> Reach:
        """Reads a request."""
        common = cls(
            request=request,
            types=tuple(name for name in request.types if _unfinished(name, request) is None),
            wanted=(),
            there=frozenset(),
            obtainable=_obtainable(request),
            reserved=frozenset(_below(request)),
        )
        signature, context = request.signature, request.constraints.context
        wanted = [*(signature.required_outputs if signature else ()), *(context.required_outputs if context else ())]
        there = {parameter.name for parameter in signature.inputs} if signature else set()
        there |= set(context.available_vars) if context else set()
        return replace(common, wanted=tuple(dict.fromkeys(wanted)), there=frozenset(there))

    @property
    def further(self) -> Reach:
        """A block that is not the first: the signature asked for is not its own, nor are the targets its nodes."""
        context = self.request.constraints.context
        wanted = context.required_outputs if context else ()
        there = frozenset(context.available_vars if context else ())
        return replace(self, wanted=wanted, there=there, reserved=frozenset())

    @property
    def block_words(self) -> frozenset[str]:
        """Words that would make a further block stand in the place of a target or library, or above one."""
        return frozenset(re.split("[/?@]", name, maxsplit=1)[0] for name in _below(self.request))

    @property
    def blocks(self) -> int:
        """How many blocks can follow the first."""
        most = self.request.constraints.max_subgraphs - 1
        # A block may be called end, which a node may not.
        words = _free_words(self.request, self.block_words) + (
            len(End.TYPE) <= self.request.constraints.max_identifier_chars
        )
        return min(most, words) if most and self.further.sizes else 0

    @property
    def specs(self) -> tuple[NodeSpec, ...]:
        """The rows of the types."""
        return tuple(NODE_TABLE[name] for name in self.types)

    @property
    def limit(self) -> int:
        """The most nodes; where no type can end a path, a second node could never be closed."""
        if not set(self.types) - {Start.TYPE, Fork.TYPE}:
            return 1
        return min(self.request.constraints.max_nodes, max(_free_words(self.request, self.reserved), 1))

    @property
    def writes(self) -> bool:
        """Whether some node can write any key."""
        return any(field.writes for spec in self.specs for field in spec.fields)

    @property
    def missing(self) -> tuple[str, ...]:
        """The wanted names that only a node can bring."""
        return tuple(name for name in self.wanted if name not in self.there and name not in self.obtainable)

    @property
    def recovers(self) -> bool:
        """Whether a named node can always come to have what is wanted, whatever it gets."""
        if self.writes:
            return all(map(self.is_key, self.missing))
        fallible = any(f.jump and f.generated is not Generated.NEVER for spec in self.specs for f in spec.fields)
        calls_anywhere = Assert.TYPE in self.types or (Join.TYPE in self.types and not fallible)
        return not self.missing and calls_anywhere

    @property
    def sizes(self) -> tuple[Span, ...]:
        """The numbers of nodes that the block can have, by the types that its first node can have."""
        return tuple(dict.fromkeys(span for name in self.types if (span := self._size(name)) is not None))

    def _size(self, name: str) -> Span | None:
        """The numbers of nodes after a first node of a type, None where it cannot be the first."""
        holds = self.there.issuperset(self.wanted)
        match name:
            case End.TYPE:
                return (1, 1) if holds else None
            case Join.TYPE:
                return None
            case Fork.TYPE:
                return (_FORKED, self.limit) if (holds or self.recovers) and self.limit >= _FORKED else None
            case Start.TYPE | Assert.TYPE:
                return (1, self.limit) if not self.missing or (self.recovers and self.limit > 1) else None
            case _:
                return (1, self.limit) if all(map(self.is_key, self.missing)) else None

    def is_key(self, name: str) -> bool:
        """Whether a node of generated text can write a name."""
        longest = self.request.constraints.max_identifier_chars
        return _WORD.fullmatch(name) is not None and name not in YAML_WORDS and len(name) <= longest


# --- facts -----------------------------------------------------------------------------------------------------------


def _unfinished(name: str, request: Request) -> str | None:
    """Why no node of a type can be finished within the bounds of texts, None where one can."""
    room = request.constraints.max_text_chars
    if name == Assert.TYPE and room < len(_SHORTEST_TEMPLATE):
        return f"no condition fits into max_text_chars, which is {room}"
    tools = request.constraints.tools
    if name == ToolCall.TYPE and tools is not None and not any(_is_callable(tool, room) for tool in tools):
        refused = [f"{tool.name}: {reason}" for tool in tools if (reason := tool_arguments(tool, room).refused)]
        return f"no call of a tool can be written with max_text_chars {room}{_listed(refused)}"
    return None


def _listed(reasons: list[str]) -> str:
    return f" ({', '.join(reasons[:3])})" if reasons else ""


def _is_callable(tool: ToolSpec, room: int) -> bool:
    """Whether a call of a tool can be written with texts of a length."""
    return len(tool.name) <= room and tool_arguments(tool, room).refused is None


def _obtainable(request: Request) -> frozenset[str]:
    """The outputs of library calls whose required inputs all have a literal that fits."""
    room = request.constraints.max_text_chars
    names: set[str] = set()
    for reference, signature in request.libraries.items():
        if reference.partition("@")[0] == request.constraints.path:
            continue  # the block itself, which is not finished while it is written
        kinds = {parameter.type.name for parameter in signature.inputs if parameter.required}
        if "boolean" not in kinds or room >= len(_SHORTEST_BOOLEAN):
            names.update(signature.required_outputs)
    return frozenset(names)


def _below(request: Request) -> list[str]:
    """The targets and libraries that stand below the path of the answer, from there on."""
    constraints = request.constraints
    prefix = f"{constraints.path}/"
    named = (*constraints.targets, *(spec.path for spec in constraints.libraries))
    return [name.removeprefix(prefix) for name in named if name.startswith(prefix)]


def _free_words(request: Request, reserved: frozenset[str]) -> int:
    """How many ids there are, as far as that matters."""
    longest = request.constraints.max_identifier_chars
    taken = {*YAML_WORDS, End.TYPE, *reserved}
    there_are = _FIRST * sum(int(_REST**more) for more in range(min(longest, _COUNTED_CHARS)))
    return there_are - sum(len(word) <= longest for word in taken)


# --- refusals --------------------------------------------------------------------------------------------------------


def _require_types(reach: Reach) -> None:
    if reach.types:
        return
    request = reach.request
    allowed = request.constraints.allowed_node_types or GENERATED_TYPES
    reasons = "; ".join(
        f"{n}: {excluded_by(n, request.constraints) or _unfinished(n, request) or _NO_CALL}" for n in allowed
    )
    raise ConstraintError(f"no node type is left ({reasons})", help='allow another type, such as "assign"')


def _require_outputs(reach: Reach) -> None:
    """What every end must have is there from the start, is given by a call, or is a key that some node can write."""
    for name in reach.missing:
        if not reach.writes:
            raise ConstraintError(
                f'nothing can write the required output "{name}": the types allowed are {", ".join(reach.types)}',
                help='allow a type that writes, such as "assign"',
            )
        if not reach.is_key(name):
            longest = reach.request.constraints.max_identifier_chars
            raise ConstraintError(
                f'the required output "{name}" is no key that generated text can write',
                help=f"name it with at most {longest} lower-case letters, digits and _",
            )


def _require_nodes(reach: Reach) -> None:
    """Enough nodes can be reached, and no more than allowed."""
    constraints = reach.request.constraints
    further, blocks = reach.further.sizes, reach.blocks
    if can_reach(reach.sizes, further, blocks, constraints.min_nodes, constraints.max_nodes):
        return
    most = max(high for _, high in reach.sizes) + blocks * max((high for _, high in further), default=0)
    raise ConstraintError(
        f"min_nodes is {constraints.min_nodes}, and an answer whose nodes are {', '.join(reach.types)} alone has "
        f"at most {min(most, constraints.max_nodes)}",
        help='lower min_nodes, allow longer ids or another type, such as "assign"',
    )


def _no_beginning(reach: Reach) -> ConstraintError:
    """Why the first node can have no type."""
    named = ", ".join(reach.types)
    if brought := [name for name in reach.wanted if name not in reach.there]:
        return ConstraintError(
            f'no subgraph of {named} alone has the required output "{brought[0]}" at every end',
            help='allow a type that writes, such as "assign"',
        )
    return ConstraintError(
        f"no subgraph of {named} alone, with at most {reach.request.constraints.max_nodes} nodes, can end",
        help='allow the type "end" or one that works, such as "assign"',
    )
