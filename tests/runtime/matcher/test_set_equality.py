"""The tracker accepts exactly the documents of a small alphabet that the checker accepts."""

import itertools
import random
from collections.abc import Iterator

import pytest

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec
from agentic_dsl.format import format_document
from agentic_dsl.runtime.matcher.tracker import SemanticTracker

PATH = "/dynamic/p"
END = "/__system__/end_soft"
IDS = ("a", "b", "c", "d")

HEAD = f"### AgenticDSL `{PATH}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
FOOT = "# --- END AgenticDSL ---\n```\n"


def _list(items: tuple[str, ...]) -> str:
    shown = [item if item.startswith("/") else f"{PATH}/{item}" for item in items]
    return "[" + ", ".join(f'"{item}"' for item in shown) + "]"


def _reference(item: str) -> str:
    return f'"{item if item.startswith("/") else f"{PATH}/{item}"}"'


def _nexts(later: tuple[str, ...], calls: tuple[str, ...]) -> list[tuple[str, ...]]:
    nodes = [p for size in (1, 2) for p in itertools.permutations(later, size)]
    plain = [(END,), *nodes]
    return [*plain, *((call, *rest) for call in calls for rest in ((), *plain))]


def _nodes(at: int, count: int, reads: tuple[str, ...], keys: tuple[str, ...], calls: tuple[str, ...]) -> Iterator[str]:
    """Every node that could stand at a position, references pointing forward and ``wait_for`` backward."""
    earlier, later = IDS[:at], IDS[at + 1 : count]
    nexts = _nexts(later, calls)
    handlers = [None, END, *later]
    head = f"  - id: {IDS[at]}\n    type: "
    yield f"{head}end\n"
    for following in nexts:
        yield f"{head}start\n    next: {_list(following)}\n"
    for following, handler in itertools.product(nexts, handlers):
        tail = f"    next: {_list(following)}\n"
        on_error = "" if handler is None else f"    on_error: {_reference(handler)}\n"
        on_failure = "" if handler is None else f"    on_failure: {_reference(handler)}\n"
        for key in keys:
            yield f"{head}assign\n    assign:\n      {key}: 0\n{on_error}{tail}"
        for read in reads:
            yield f'{head}assert\n    condition: "{{{{ {read} }}}}"\n{on_failure}{tail}'
    for branches in itertools.permutations(later, 2):
        yield f"{head}fork\n    fork:\n      branches: {_list(branches)}\n"
    for size in range(1, len(earlier) + 1):
        for sources in itertools.combinations(earlier, size):
            for strategy in ("", "      merge_strategy: deep_merge\n", "      merge_strategy: error_on_conflict\n"):
                wait = f"{head}join\n    join:\n      wait_for: {_list(sources)}\n{strategy}"
                for following in nexts:
                    yield f"{wait}    next: {_list(following)}\n"


def _judge(text: str, constraints: Constraints) -> bool:
    """Whether a text is valid and of the generated form, in which edges are stated by their sources."""
    document = parse(text)
    return (
        all(f'"{PATH}/{source}"' in text and _is_stated(text, join, source) for join, source in _waits(text))
        and not any(finding.is_error for finding in check(document, constraints=constraints))
        and format_document(document) == text
    )


def _waits(text: str) -> Iterator[tuple[str, str]]:
    """Each join with each of its sources."""
    for node in text.split("  - id: ")[1:]:
        for source in IDS:
            if f'"{PATH}/{source}"' in node.partition("wait_for: ")[2].partition("\n")[0]:
                yield node[0], source


def _is_stated(text: str, join: str, source: str) -> bool:
    node = text.partition(f"  - id: {source}\n")[2].partition("  - id: ")[0]
    return any(f'"{PATH}/{join}"' in node.partition(f"{key}: ")[2].partition("\n")[0] for key in ("next", "branches"))


CALL = "/lib/x/f"
LIBRARY = LibrarySpec(path=CALL, signature="(x: any) -> {z: any}")

CONFIGURATIONS = {
    "nothing required": (Constraints(path=PATH, max_nodes=3, context=ContextSignature()), ("now",), ("x",), ()),
    "counts": (Constraints(path=PATH, max_nodes=3, min_nodes=2, context=ContextSignature()), ("now",), ("x",), ()),
    "reads": (Constraints(path=PATH, max_nodes=4, context=ContextSignature()), ("x", "z"), ("x", "z"), ()),
    "an output required": (
        Constraints(path=PATH, max_nodes=3, context=ContextSignature(required_outputs=("x",))),
        ("now", "x"),
        ("x", "z"),
        (),
    ),
    "two outputs required": (
        Constraints(path=PATH, max_nodes=4, context=ContextSignature(required_outputs=("x", "z"))),
        ("now",),
        ("x", "x: 0\n      z"),
        (),
    ),
    "library calls": (
        Constraints(path=PATH, max_nodes=3, libraries=(LIBRARY,), context=ContextSignature(required_outputs=("z",))),
        ("z",),
        ("x",),
        (CALL, f"{CALL}?x=1"),
    ),
    "few types": (
        Constraints(path=PATH, max_nodes=4, allowed_node_types=("assert", "fork", "join"), context=ContextSignature()),
        ("now",),
        (),
        (),
    ),
}


def _texts(count: int, reads: tuple[str, ...], keys: tuple[str, ...], calls: tuple[str, ...]) -> list[list[str]]:
    return [list(_nodes(at, count, reads, keys, calls)) for at in range(count)]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_document_of_at_most_two_nodes_is_accepted_exactly_when_it_is_valid(name):
    constraints, *alphabet = CONFIGURATIONS[name]
    begin = SemanticTracker(constraints)
    valid = 0
    for count in (1, 2):
        for nodes in itertools.product(*_texts(count, *alphabet)):
            text = HEAD + "".join(nodes) + FOOT
            tracker = begin.fork()
            accepted = tracker.accept(text.encode()) and tracker.is_complete
            assert accepted == _judge(text, constraints), text
            valid += accepted
    assert valid > 1


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_sampled_larger_documents_are_accepted_exactly_when_they_are_valid(name, count):
    """Half of the sample is drawn from documents without dangling or unreachable nodes, else few would be valid."""
    constraints, *alphabet = CONFIGURATIONS[name]
    begin = SemanticTracker(constraints)
    rng = random.Random(f"{name}{count}")
    choices = _texts(count, *alphabet)
    valid = tried = 0
    while tried < 120:
        nodes = [rng.choice(options) for options in choices]
        text = HEAD + "".join(nodes) + FOOT
        connected = all(f'"{PATH}/{IDS[at]}"' in "".join(nodes[:at]) for at in range(1, count))
        if not connected and rng.random() < 0.95:
            continue
        tried += 1
        tracker = begin.fork()
        accepted = tracker.accept(text.encode()) and tracker.is_complete
        assert accepted == _judge(text, constraints), text
        valid += accepted
    assert valid or constraints.max_nodes < count
