"""Set equality by brute force: ``python -m benchmarks.set_equality [--nodes 3] [--samples 2000] [CONFIGURATION…]``.

A configuration is a constraint set with an alphabet: bodies for node types, handlers, strategies, calls. Every
document over the alphabet goes to the tracker and to the checker, which must agree: the tracker accepts exactly those
that are valid, canonical and of the generated form. Sizes with too many documents are sampled; half of a
sample are documents of which all nodes but one were chosen so that the tracker went along.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.format import format_document
from agentic_dsl.node_table import Assert
from agentic_dsl.paths import GENERATED_END
from agentic_dsl.runtime.matcher.tracker import SemanticTracker

PATH = "/dynamic/p"
IDS = ("a", "b", "c", "d")
HEAD = f"### AgenticDSL `{PATH}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\n"
FOOT = "# --- END AgenticDSL ---\n```\n"

START, END, FORK, JOIN = "start", "end", "fork", "join"
ASSIGN_X = ("assign", "    assign:\n      x: 0\n")
ASSIGN_Z = ("assign", "    assign:\n      z: 0\n")
READ_X = ("assert", '    condition: "{{ x }}"\n')
READ_Z = ("assert", '    condition: "{{ z }}"\n')
READ_NOW = ("assert", '    condition: "{{ now }}"\n')

Body = tuple[str, str]
"""A node type, and the lines between ``type:`` and the handler."""


@dataclass(frozen=True)
class Alphabet:
    """What the nodes of a document are made of.

    Attributes:
        bodies: of the types that have a ``next`` and perhaps a handler.
        structure: which of `START`, `END`, `FORK` and `JOIN` there are.
        handlers: whether nodes may have one.
        strategies: of joins; empty for none.
        calls: library calls, at most one a list.
        ends: references that end a path.
        anywhere: whether references may also lead back, to the node itself, or nowhere.
        ids: the ids that any node may have; empty for `IDS` in their order.
        heads: lines between the head and ``nodes:``.
    """

    bodies: tuple[Body, ...] = (ASSIGN_X,)
    structure: frozenset[str] = frozenset({END})
    handlers: bool = False
    strategies: tuple[str, ...] = ("",)
    calls: tuple[str, ...] = ()
    ends: tuple[str, ...] = (GENERATED_END,)
    anywhere: bool = False
    ids: tuple[str, ...] = ()
    heads: tuple[str, ...] = ("",)

    def nodes(self, at: int, count: int) -> Iterator[str]:
        """Every node that could stand at a position of a document of ``count`` nodes."""
        names = self.ids or IDS[:count]
        later = (*names, "zz") if self.anywhere else names if self.ids else names[at + 1 :]
        for name in self.ids or (IDS[at],):
            yield from self._nodes(name, names[:at], later)

    def _nodes(self, name: str, earlier: tuple[str, ...], later: tuple[str, ...]) -> Iterator[str]:
        head = f"  - id: {name}\n    type: "
        nexts = [f"    next: {_list(items)}\n" for items in self._lists(later)]
        if END in self.structure:
            yield f"{head}end\n"
        if START in self.structure:
            yield from (f"{head}start\n{following}" for following in nexts)
        for kind, body in self.bodies:
            for handler, following in itertools.product(self._handlers(kind, later), nexts):
                yield f"{head}{kind}\n{body}{handler}{following}"
        if FORK in self.structure:
            for branches in itertools.permutations(later, 2):
                yield f"{head}fork\n    fork:\n      branches: {_list(branches)}\n"
        if JOIN in self.structure:
            for size in range(1, len(earlier) + 1):
                for sources, strategy in itertools.product(itertools.combinations(earlier, size), self.strategies):
                    line = f"      merge_strategy: {strategy}\n" if strategy else ""
                    wait = f"{head}join\n    join:\n      wait_for: {_list(sources)}\n{line}"
                    yield from (wait + following for following in nexts)

    def _lists(self, later: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        plain = [(end,) for end in self.ends]
        plain += [items for size in (1, 2) for items in itertools.permutations(later, size)]
        yield from plain
        for call in self.calls:
            yield from ((call, *rest) for rest in ((), *plain))

    def _handlers(self, kind: str, later: tuple[str, ...]) -> Iterator[str]:
        yield ""
        if self.handlers:
            key = "on_failure" if kind == Assert.TYPE else "on_error"
            yield from (f'    {key}: "{_reference(target)}"\n' for target in (*self.ends, *later))


def _reference(item: str) -> str:
    return item if item.startswith("/") else f"{PATH}/{item}"


def _list(items: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{_reference(item)}"' for item in items) + "]"


@dataclass(frozen=True)
class Configuration:
    """What is asked for, and over which alphabet documents are enumerated."""

    constraints: Constraints
    alphabet: Alphabet = field(default_factory=Alphabet)

    def choices(self, count: int) -> list[list[str]]:
        """For the head and each position of a document of ``count`` nodes everything that could stand there."""
        heads = [f"{HEAD}{head}nodes:\n" for head in self.alphabet.heads]
        return [heads, *(list(self.alphabet.nodes(at, count)) for at in range(count))]

    def size(self, count: int) -> int:
        """How many documents of ``count`` nodes there are."""
        return prod(map(len, self.choices(count)))


@dataclass(frozen=True)
class Verdict:
    """How one document was judged."""

    text: str
    accepted: bool
    valid: bool


def verdicts(configuration: Configuration, count: int) -> Iterator[Verdict]:
    """Every document of ``count`` nodes, judged."""
    choices = configuration.choices(count)
    yield from _extended(configuration, choices, "", SemanticTracker(configuration.constraints))


def _extended(
    configuration: Configuration, choices: list[list[str]], text: str, tracker: SemanticTracker | None
) -> Iterator[Verdict]:
    """Every document that begins with a text; ``tracker`` has read it, None where it refused."""
    if not choices:
        yield _verdict(configuration, text, tracker)
        return
    for part in choices[0]:
        after = tracker.fork() if tracker is not None else None
        if after is not None and not after.accept(part.encode()):
            after = None
        yield from _extended(configuration, choices[1:], text + part, after)


def _verdict(configuration: Configuration, text: str, tracker: SemanticTracker | None) -> Verdict:
    whole = text + FOOT
    accepted = tracker is not None and tracker.accept(FOOT.encode()) and tracker.is_complete
    return Verdict(whole, accepted, is_valid(whole, configuration.constraints))


def sampled(configuration: Configuration, count: int, samples: int, seed: object = 0) -> Iterator[Verdict]:
    """Some documents of ``count`` nodes, judged."""
    rng = random.Random(f"{seed} {count}")
    choices = configuration.choices(count)
    begin = SemanticTracker(configuration.constraints)
    for number in range(samples):
        parts = [rng.choice(options) for options in choices] if number % 2 else _near(begin, choices, rng)
        text = "".join(parts)
        tracker = begin.fork()
        yield _verdict(configuration, text, tracker if tracker.accept(text.encode()) else None)


def _near(begin: SemanticTracker, choices: list[list[str]], rng: random.Random) -> list[str]:
    """Parts with which the tracker went along as long as it could; then often one of them is exchanged."""
    tracker, parts = begin.fork(), list[str]()
    for position, options in enumerate(choices):
        last = position + 1 == len(choices)
        tried = rng.sample(options, len(options))
        for part in tried:
            after = tracker.fork()
            if after.accept(part.encode()) and (not last or after.allows(FOOT.encode())):
                tracker = after
                break
        else:
            part = tried[0]
        parts.append(part)
    if rng.random() < 0.6:
        at = rng.randrange(len(parts))
        parts[at] = rng.choice(choices[at])
    return parts


def is_valid(text: str, constraints: Constraints) -> bool:
    """Whether a text is valid, canonical, and of the generated form, in which edges are stated by their sources."""
    document = parse(text)
    if any(finding.is_error for finding in check(document, constraints=constraints)):
        return False
    return format_document(document) == text and states_its_edges(text)


_NODE = re.compile(r"^  - id: (?P<id>\S+)\n(?P<lines>(?:    .*\n)*)", re.M)
_LIST = re.compile(r"^ +(?P<key>next|branches|wait_for): (?P<items>\[.*\])$", re.M)


def states_its_edges(text: str) -> bool:
    """Whether each source that a join waits for names the join itself, which accepted text may leave out."""
    named: dict[str, list[str]] = {}
    waits: list[tuple[str, str]] = []
    for node in _NODE.finditer(text):
        for found in _LIST.finditer(node["lines"]):
            names = [item.rpartition("/")[2] for item in json.loads(found["items"])]
            if found["key"] == "wait_for":
                waits += [(name, node["id"]) for name in names]
            else:
                named.setdefault(node["id"], []).extend(names)
    return all(join in named.get(source, ()) for source, join in waits)


# --- configurations --------------------------------------------------------------------------------------------------

ALL = frozenset({START, END, FORK, JOIN})
CALL = "/lib/x/f"
LIBRARY = LibrarySpec(path=CALL, signature="(x: any) -> {z: any}")
FREE_CALL = "/lib/x/g"
FREE_LIBRARY = LibrarySpec(path=FREE_CALL, signature="(x?: any) -> {x: any, w?: any}")
OPTIONAL_CALL = "/lib/x/h"
OPTIONAL_LIBRARY = LibrarySpec(path=OPTIONAL_CALL, signature="() -> {x?: any}")
TOOL = ToolSpec(
    name="t",
    parameters={"properties": {"q": {"enum": [1]}}},
    returns={"type": "object", "properties": {"x": {"type": "object", "properties": {"f": {}}}, "z": {}}},
)
OPEN_TOOL = ToolSpec(name="u")


def _asked(required: tuple[str, ...] = (), most: int = 4, **fields: object) -> Constraints:
    context = ContextSignature(required_outputs=required)
    return Constraints.model_validate({"path": PATH, "max_nodes": most, "context": context, **fields})


def _called(tool: str, line: str) -> Body:
    return "tool_call", f"    tool: {tool}\n    {line}\n"


def _reading(name: str) -> Body:
    return "assert", f'    condition: "{{{{ {name} }}}}"\n'


_TOOL_KEYS = (
    *(_called("t", f"output_keys: {keys}") for keys in ('["x"]', '["x", "z"]', '["x", "w"]')),
    _called("u", 'output_keys: ["x", "w"]'),
    _reading("z.g"),
)
_TOOL_FIELDS = (
    *(_called(tool, f'output_keys: ["{key}"]') for tool, key in (("t", "x"), ("u", "x"), ("u", "z"))),
    *map(_reading, ("x.f", "x.z")),
)
_TOOL_PATHS = (
    *(_called("t", f'output_mapping:\n      x: "{path}"') for path in ("x.f", "x.g", "y", "z[0]")),
    _reading("x.f"),
)


READ_Q = _reading("q")
_SIGNATURE = "(q: any) -> {x: any, q: any, w?: any}"
_SIGNATURE_LINES = (f'signature: "{_SIGNATURE}"\n', "")

CONFIGURATIONS = {
    "forks and joins": Configuration(
        _asked(), Alphabet((ASSIGN_X,), ALL, strategies=("", "deep_merge", "error_on_conflict"))
    ),
    "handlers": Configuration(_asked(), Alphabet((ASSIGN_X, READ_NOW), handlers=True)),
    "handlers and joins": Configuration(_asked(), Alphabet((ASSIGN_X,), frozenset({FORK, JOIN}), handlers=True)),
    "reads": Configuration(_asked(), Alphabet((ASSIGN_X, READ_X), handlers=True)),
    "reads behind joins": Configuration(_asked(), Alphabet((ASSIGN_X, ASSIGN_Z, READ_X), frozenset({FORK, JOIN}))),
    "an output required": Configuration(_asked(("x",)), Alphabet((ASSIGN_X, ASSIGN_Z), ALL)),
    "an output required, handlers": Configuration(_asked(("x",)), Alphabet((ASSIGN_X, READ_NOW), handlers=True)),
    "two outputs required": Configuration(
        _asked(("x", "z")),
        Alphabet((ASSIGN_X, ASSIGN_Z, ("assign", "    assign:\n      x: 0\n      z: 0\n")), frozenset({FORK, JOIN})),
    ),
    "calls": Configuration(
        _asked(("z",), libraries=(LIBRARY,)),
        Alphabet((ASSIGN_X,), calls=(CALL, f"{CALL}?x=1", f"{CALL}?x={{{{ x }}}}")),
    ),
    "calls, reads": Configuration(
        _asked(libraries=(LIBRARY,)), Alphabet((ASSIGN_X, READ_Z), calls=(f"{CALL}?x={{{{ z }}}}", f"{CALL}?x=1"))
    ),
    "calls that merge": Configuration(
        _asked(("x",), libraries=(FREE_LIBRARY,), allowed_node_types=("assert", "fork", "join")),
        Alphabet((READ_X,), frozenset({FORK, JOIN}), strategies=("", "deep_merge"), calls=(FREE_CALL,)),
    ),
    "optional outputs": Configuration(
        _asked(tools=(TOOL,), libraries=(OPTIONAL_LIBRARY,)),
        Alphabet((_called("t", 'output_keys: ["x"]'), READ_X, _reading("x.f")), calls=(OPTIONAL_CALL,)),
    ),
    "tool results": Configuration(_asked(("x",), tools=(TOOL, OPEN_TOOL)), Alphabet(_TOOL_KEYS)),
    "fields of tool results": Configuration(_asked(tools=(TOOL, OPEN_TOOL)), Alphabet(_TOOL_FIELDS)),
    "paths of tool results": Configuration(_asked(tools=(TOOL, OPEN_TOOL)), Alphabet(_TOOL_PATHS)),
    "few nodes": Configuration(_asked(most=2), Alphabet((ASSIGN_X,), ALL)),
    "as many as asked for": Configuration(_asked(most=3, min_nodes=3), Alphabet((ASSIGN_X,), ALL, handlers=True)),
    "no writers": Configuration(
        _asked(allowed_node_types=("assert", "fork", "join")), Alphabet((READ_NOW,), ALL, handlers=True)
    ),
    "forks and ends": Configuration(
        _asked(min_nodes=3, allowed_node_types=("start", "fork", "end")), Alphabet((), ALL)
    ),
    "forks and joins alone": Configuration(_asked(allowed_node_types=("fork", "join")), Alphabet((), ALL)),
    "references anywhere": Configuration(_asked(), Alphabet((ASSIGN_X,), anywhere=True)),
    "ids": Configuration(_asked(most=2), Alphabet((ASSIGN_X,), ids=("a", "end", "on"), handlers=True)),
    "targets": Configuration(
        _asked(("x",), targets=("/end", "/main/x")),
        Alphabet((ASSIGN_X,), frozenset({END, JOIN}), ends=(GENERATED_END, "/end", "/main/x")),
    ),
    "handlers that leave": Configuration(
        _asked(targets=("/main/x",)),
        Alphabet((ASSIGN_X,), frozenset({JOIN}), handlers=True, ends=(GENERATED_END, "/main/x")),
    ),
    "a signature asked for": Configuration(
        _asked(signature=_SIGNATURE), Alphabet((ASSIGN_X, READ_Q), handlers=True, heads=_SIGNATURE_LINES)
    ),
    "permissions": Configuration(
        _asked(permissions=("tool: u", "network"), tools=(TOOL, OPEN_TOOL)),
        Alphabet(
            (
                ("tool_call", '    tool: u\n    output_keys: ["x"]\n'),
                ("tool_call", '    tool: t\n    output_keys: ["x"]\n'),
            ),
            heads=(
                "",
                *(f"permissions: [{p}]\n" for p in ('"tool: u"', '"network"', '"tool: u", "network"', '"tool: t"')),
            ),
        ),
    ),
}


def differences(name: str, count: int, most: int, samples: int) -> tuple[int, int, list[Verdict]]:
    """Judges one size of one configuration.

    Args:
        name: of the configuration.
        count: nodes of a document.
        most: with more documents than this only samples are judged.
        samples: how many.

    Returns:
        How many documents were judged, how many of them are valid, and those on which tracker and checker differ.
    """
    configuration = CONFIGURATIONS[name]
    exhaustive = configuration.size(count) <= most
    judged = list(verdicts(configuration, count) if exhaustive else sampled(configuration, count, samples, name))
    return len(judged), sum(v.valid for v in judged), [v for v in judged if v.valid != v.accepted]


def main() -> int:
    """Prints a line a size and every difference; 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *CONFIGURATIONS], metavar="CONFIGURATION")
    parser.add_argument("--nodes", type=int, default=3, help="up to this size every document is judged")
    parser.add_argument("--samples", type=int, default=2000, help="documents of one node more")
    options = parser.parse_args()
    failed = 0
    for name in options.names or CONFIGURATIONS:
        for count in range(1, options.nodes + 2):
            most = sys.maxsize if count <= options.nodes else 0
            judged, valid, different = differences(name, count, most, options.samples)
            print(
                f"{name}, {count} nodes: {judged:,} documents, {valid:,} valid, {len(different)} differences",
                flush=True,
            )
            for verdict in different[:3]:
                print(f"valid: {verdict.valid}, accepted: {verdict.accepted}\n{verdict.text}", file=sys.stderr)
            failed += len(different)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
