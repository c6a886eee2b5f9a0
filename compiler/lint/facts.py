"""What the blocks around a node write and read together, collected in one pass over a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.resolution import Callee, Place
from agentic_dsl.node_table import CodeletCall, End, GenerateSubgraph, ToolCall
from agentic_dsl.span import Span, SpanPath
from agentic_dsl.template import Read


@dataclass(frozen=True, slots=True)
class PlacedText:
    """One string of a node in which a template may stand.

    Attributes:
        path: where it stands in the node.
        text: the string.
        reads: what it reads of the context.
    """

    place: Place
    path: SpanPath
    text: str
    reads: tuple[Read, ...]

    @property
    def span(self) -> Span:
        """Where the string stands in the document."""
        return self.place.node.at(*self.path)


@dataclass(slots=True)
class GroupFacts:
    """What some blocks that edges connect write and read. Filled by `collect`, then only read.

    Attributes:
        read: names that templates read, that calls take or that outputs name.
        whole: whether something may read names that nobody sees: a generated subgraph, ``$`` as a whole, an unknown
            library, a reference that is open until run time.
        code: the code of codelets, which may read names in ways of its own.
        given: inputs of the blocks.
        written: what nodes and calls write.
        optional: inputs that may be absent and have no default.
        called: names that tools write.
    """

    read: set[str] = field(default_factory=set)
    whole: bool = False
    code: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)

    def may_read(self, name: str) -> bool:
        """Whether somebody reads a name, or may do so."""
        return self.whole or name in self.read or any(name in code for code in self.code)

    def knows(self, name: str) -> bool:
        """Whether a name is surely in the context at some node."""
        return name in self.given or name in self.written

    def is_foreign(self, name: str) -> bool:
        """Whether users or tools wrote the value of a name."""
        return name in self.given or name in self.called

    def may_be_absent(self, name: str) -> bool:
        """Whether a name is an input that callers may leave out, and that nobody else writes."""
        return name in self.optional and name not in self.written


def collect(
    group: Sequence[int],
    blocks: Iterable[Subgraph],
    places: Iterable[Place],
    texts: Iterable[PlacedText],
    callees: Iterable[tuple[Place, Callee]],
    loose: frozenset[int],
) -> dict[int, GroupFacts]:
    """The facts of each group, by the number of its first block.

    Args:
        group: for each block the number of the first block that edges connect it with.
        blocks: the subgraphs, as ``group`` counts them.
        places: their nodes.
        texts: the strings in which templates may stand.
        callees: the library calls.
        loose: nodes with a reference that leads nowhere known.
    """
    facts = {number: GroupFacts() for number in set(group)}
    for number, block in enumerate(blocks):
        of = facts[group[number]]
        for parameter in block.signature.inputs if block.signature is not None else ():
            of.given.add(parameter.name)
            if not parameter.required and parameter.default is None:
                of.optional.add(parameter.name)
        of.read.update(parameter.name for parameter in (block.signature.outputs if block.signature is not None else ()))
    for text in texts:
        of = facts[group[text.place.block]]
        of.read.update(read.name for read in text.reads)
        of.whole = of.whole or _reads_everything(text.text)
    for place, callee in callees:
        of = facts[group[place.block]]
        if callee.signature is None:
            of.whole = True
            continue
        of.read.update(parameter.name for parameter in callee.signature.inputs)
        of.written.update(parameter.name for parameter in callee.signature.outputs)
    for place in places:
        _add_node(facts[group[place.block]], place, loose)
    return facts


def _add_node(of: GroupFacts, place: Place, loose: frozenset[int]) -> None:
    of.written.update(place.node.writes)
    of.whole = of.whole or place.number in loose
    match place.node:
        case GenerateSubgraph():
            of.whole = True
        case End(output_keys=keys):
            of.read.update(keys)
        case CodeletCall(code=code):
            of.code.append(code)
        case ToolCall():
            of.called.update(place.node.writes)
        case _:
            pass


def _reads_everything(text: str) -> bool:
    """Whether a template hands on the context as a whole, as ``{{ $ }}`` and ``{{ inputs }}`` do."""
    if "{" not in text or ("$" not in text and "inputs" not in text):
        return False
    compact = text.replace("$.", "").replace("$[", "").replace("inputs.", "").replace("inputs[", "")
    return "$" in compact or "inputs" in compact
