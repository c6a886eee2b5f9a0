"""How near a generated plan comes to the gold plan: F1 over nodes, tools and arguments.

A plan is three multisets, and two plans share of each what both hold, as often as both hold it. That is also what
greedy matching finds, since items match only where they are equal.

- **node**: its type and, where it calls a tool, the tool's name.
- **tool**: the tool's name, for each call. Nodes that any plan has (``end``) do not help here.
- **argument**: tool, argument's name and value, for each argument of each call. Values are equal as JSON is: ``"5"``
  is not ``5``, ``5.0`` is; runs of blanks in texts count as one. A template that reads a result reads "the k-th call's
  result" (calls counted in the order of the text), whatever name the plan gave it, with the fields that follow:
  ``{{ flights.id }}`` and ``{{ $.id }}`` are both ``{{ #1.id }}`` where the first call writes ``flights``, or of
  several keys ``id``. Reads through an ``assign`` are followed where it only renames a result or holds a literal.

Counts are summed over all plans before the ratio is taken (micro average): precision = shared / generated, recall =
shared / gold, F1 = 2 · shared / (generated + gold). A plan that cannot be read is an empty one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.template import parse_template
from agentic_dsl.node_table import AnyNode, Assign, ToolCall
from agentic_dsl.signature import Data
from agentic_dsl.template import Read, Template, reads

_BLANKS = re.compile(r"\s+")
_CHAIN = re.compile(r"\{\{ (#\d+(?:\.\w+|\[\d+\])*) \}\}")
"""A whole template that reads a call's result and nothing else."""


@dataclass(frozen=True)
class Counts:
    """What two multisets have in common.

    Attributes:
        shared: items that both hold.
        generated: items of the generated plan.
        gold: items of the gold plan.
    """

    shared: int = 0
    generated: int = 0
    gold: int = 0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 1 where there is nothing on either side."""
        both = self.generated + self.gold
        return 2 * self.shared / both if both else 1.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.shared + other.shared, self.generated + other.generated, self.gold + other.gold)


@dataclass(frozen=True)
class PlanScores:
    """The counts of one plan, or their sum over many."""

    node: Counts = field(default_factory=Counts)
    tool: Counts = field(default_factory=Counts)
    argument: Counts = field(default_factory=Counts)

    def __add__(self, other: PlanScores) -> PlanScores:
        return PlanScores(self.node + other.node, self.tool + other.tool, self.argument + other.argument)


def score(gold: Subgraph, generated: Subgraph | None) -> PlanScores:
    """The counts of one plan; None is a plan that could not be read."""
    plan = () if generated is None else generated.nodes
    return PlanScores(
        node=_counts(_labels(plan), _labels(gold.nodes)),
        tool=_counts(_tools(plan), _tools(gold.nodes)),
        argument=_counts(arguments(plan), arguments(gold.nodes)),
    )


def arguments(nodes: Iterable[AnyNode]) -> Iterator[tuple[str, str, str]]:
    """Tool, name and value of every argument, values as JSON in which reads name calls by their number.

    Arguments that are one template as a whole have the name ``*``.
    """
    origins: dict[str, Data] = {}
    calls = 0
    for node in nodes:
        match node:
            case ToolCall():
                calls += 1
                given = node.arguments if isinstance(node.arguments, Mapping) else {"*": node.arguments}
                for name, value in given.items():
                    yield node.tool, name, json.dumps(_canonical(value, origins), sort_keys=True)
                origins |= _results(node, calls)
            case Assign(assign=assigned):
                # All at once: an assign does not read what it writes itself.
                origins |= {name: _canonical(value, origins) for name, value in assigned.items()}
            case _:
                origins |= {name: f"{{{{ {name} }}}}" for name in node.writes}


def _counts(generated: Iterable[object], gold: Iterable[object]) -> Counts:
    mine, wanted = Counter(generated), Counter(gold)
    return Counts((mine & wanted).total(), mine.total(), wanted.total())


def _labels(nodes: Iterable[AnyNode]) -> Iterator[tuple[str, str]]:
    return ((node.type, node.tool if isinstance(node, ToolCall) else "") for node in nodes)


def _tools(nodes: Iterable[AnyNode]) -> Iterator[str]:
    return (node.tool for node in nodes if isinstance(node, ToolCall))


def _results(node: ToolCall, number: int) -> dict[str, Data]:
    """What each key that a call writes stands for: its whole result, or a field of it."""
    keys = node.output_keys
    results: dict[str, Data] = {key: f"{{{{ #{number}{f'.{key}' if len(keys) > 1 else ''} }}}}" for key in keys}
    return results | {key: f"{{{{ #{number}.{path} }}}}" for key, path in node.output_mapping.items()}


def _canonical(value: Data, origins: Mapping[str, Data]) -> Data:
    match value:
        case str():
            return _text(value, origins)
        case float() if value.is_integer():
            return int(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {name: _canonical(inner, origins) for name, inner in value.items()}
        case _:
            return [_canonical(inner, origins) for inner in value]


def _text(text: str, origins: Mapping[str, Data]) -> Data:
    """A text with its reads replaced by what they stand for; a value of any type where it is one read as a whole."""
    template = parse_template(text)
    if not isinstance(template, Template):
        return _BLANKS.sub(" ", text).strip()
    outermost: list[Read] = []
    for read in sorted(reads(template), key=lambda read: (read.span.start, -read.span.end)):
        if not outermost or read.span.start >= outermost[-1].span.end:
            outermost.append(read)
    if template.is_whole and len(outermost) == 1 and not outermost[0].fields:
        read = outermost[0]
        inside = text.strip().removeprefix("{{").removesuffix("}}").strip()
        if inside == text[read.span.start : read.span.end].strip() and read.name in origins:
            return origins[read.name]
    pieces, at = [], 0
    for read in outermost:
        pieces += [text[at : read.span.start], _source(read, origins)]
        at = read.span.end
    written = "".join([*pieces, text[at:]])
    return _BLANKS.sub(" ", re.sub(r"\{\{-?\s*(.*?)\s*-?\}\}", r"{{ \1 }}", written)).strip()


def _source(read: Read, origins: Mapping[str, Data]) -> str:
    """A read as it stands in the compared text: the call's number and the fields, else the name that was written."""
    origin = origins.get(read.name)
    chain = _CHAIN.fullmatch(origin) if isinstance(origin, str) else None
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in read.fields)
    return (chain[1] if chain else read.name) + steps
