"""Several blocks in one answer: the tracker allows what the checker accepts, and every text can be finished."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format import format_document
from agentic_dsl.runtime.matcher.blocks import Further
from agentic_dsl.runtime.matcher.context import Env
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.tokenizer import load_tokenizer
from tests.compiler.grammar.acceptors import automaton

PATH = "/dynamic/p"
END = "/__system__/end_soft"


def block(nodes: str, path: str = PATH, keys: str = "") -> str:
    return (
        f"### AgenticDSL `{path}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\n{keys}nodes:\n{nodes}"
        "# --- END AgenticDSL ---\n```\n"
    )


def end(name: str = "e") -> str:
    return f"  - id: {name}\n    type: end\n"


def start(*following: str, name: str = "a") -> str:
    listed = ", ".join(f'"{item}"' for item in following or (END,))
    return f"  - id: {name}\n    type: start\n    next: [{listed}]\n"


def assign(*following: str, name: str = "a", key: str = "x", value: str = "0") -> str:
    head = f"  - id: {name}\n    type: assign\n    assign:\n      {key}: {value}\n"
    return head + start(*following, name=name).partition("start\n")[2]


def constraints(**fields: Any) -> Constraints:
    return Constraints(**({"path": PATH, "max_subgraphs": 2, "max_nodes": 4, "context": ContextSignature()} | fields))


def errors(text: str, asked: Constraints) -> list[str]:
    return [finding.kind.code for finding in check(parse(text), constraints=asked) if finding.is_error]


def is_valid(text: str, asked: Constraints) -> bool:
    """Whether a text passes the check and stands in the canonical layout."""
    return not errors(text, asked) and format_document(parse(text)) == text


def is_allowed(text: str, asked: Constraints) -> bool:
    tracker = SemanticTracker(asked)
    return tracker.accept(text.encode()) and tracker.is_complete


# --- what one answer may hold ----------------------------------------------------------------------------------------

TWO = block(end()) + "\n" + block(end(), f"{PATH}/sub")

JUDGED = {
    "one block": (block(end()), {}, True),
    "two blocks": (TWO, {}, True),
    "three where two are allowed": (TWO + "\n" + block(end(), f"{PATH}/more"), {}, False),
    "three blocks": (TWO + "\n" + block(end(), f"{PATH}/more"), {"max_subgraphs": 3}, True),
    "one path twice": (TWO + "\n" + block(end(), f"{PATH}/sub"), {"max_subgraphs": 3}, False),
    "the first path again": (block(end()) + "\n" + block(end()), {}, False),
    "a further block elsewhere": (block(end()) + "\n" + block(end(), "/dynamic/q"), {}, False),
    "a further block two words below": (block(end()) + "\n" + block(end(), f"{PATH}/a/b"), {}, False),
    "no word": (block(end()) + "\n" + block(end(), f"{PATH}/Sub"), {}, False),
    "a word of YAML": (block(end()) + "\n" + block(end(), f"{PATH}/true"), {}, False),
    "a word that is too long": (block(end()) + "\n" + block(end(), f"{PATH}/long"), {"max_identifier_chars": 3}, False),
    "the word end": (block(end()) + "\n" + block(end(), f"{PATH}/end"), {}, True),
    "the id of a node as a word": (block(end("sub")) + "\n" + block(end(), f"{PATH}/sub"), {}, True),
    "in the place of a target": (TWO, {"targets": (f"{PATH}/sub",)}, False),
    "above a target": (TWO, {"targets": (f"{PATH}/sub/e",)}, False),
    "beside a target": (TWO, {"targets": (f"{PATH}/su",)}, True),
    "a node in the place of a target": (block(end("x")), {"targets": (f"{PATH}/x",)}, False),
    "the same id in the place of no target": (
        block(end()) + "\n" + block(end("x"), f"{PATH}/sub"),
        {"targets": (f"{PATH}/x",)},
        True,
    ),
    "too many nodes in all": (TWO, {"max_nodes": 1}, False),
    "too few nodes in all": (TWO, {"min_nodes": 3}, False),
    "enough nodes in all": (TWO, {"min_nodes": 2}, True),
    "to a node of a further block": (block(start(f"{PATH}/sub/e")) + "\n" + block(end(), f"{PATH}/sub"), {}, False),
    "to a further block": (block(start(f"{PATH}/sub")) + "\n" + block(end(), f"{PATH}/sub"), {}, False),
    "to the first block": (block(end()) + "\n" + block(start(PATH), f"{PATH}/sub"), {}, False),
    "to a node of the first block": (block(end()) + "\n" + block(start(f"{PATH}/e"), f"{PATH}/sub"), {}, False),
    "to a node of its own": (
        block(end()) + "\n" + block(start(f"{PATH}/sub/e") + end(), f"{PATH}/sub"),
        {},
        True,
    ),
    "the signature in the first block only": (
        block(end(), keys='signature: "(x: any) -> {x: any}"\n') + "\n" + block(end(), f"{PATH}/sub"),
        {"signature": "(x: any) -> {x: any}"},
        True,
    ),
    "a signature that nobody asked for": (
        block(end()) + "\n" + block(end(), f"{PATH}/sub", 'signature: "(x: any) -> ()"\n'),
        {},
        False,
    ),
    "the caller's outputs in each block": (
        block(assign()) + "\n" + block(end(), f"{PATH}/sub"),
        {"context": ContextSignature(required_outputs=("x",))},
        False,
    ),
    "what the first block writes is not in another": (
        block(assign()) + "\n" + block(assign(value='"{{ x }}"', key="y"), f"{PATH}/sub"),
        {},
        False,
    ),
    "permissions of each block": (
        block(end(), keys='permissions: ["network"]\n') + "\n" + block(end(), f"{PATH}/sub"),
        {"permissions": ("network",)},
        True,
    ),
    "a library in two blocks": (
        block(end(), "/lib/x/p", 'signature: "() -> ()"\n')
        + "\n"
        + block(end(), "/lib/x/p/sub", 'signature: "(x: any) -> {x: any}"\n'),
        {"path": "/lib/x/p"},
        True,
    ),
    "a further block of a library without a signature": (
        block(end(), "/lib/x/p", 'signature: "() -> ()"\n') + "\n" + block(end(), "/lib/x/p/sub"),
        {"path": "/lib/x/p"},
        False,
    ),
    "a library that calls its own further block": (
        block(start("/lib/x/p/sub"), "/lib/x/p", 'signature: "() -> ()"\n')
        + "\n"
        + block(end(), "/lib/x/p/sub", 'signature: "() -> ()"\n'),
        {"path": "/lib/x/p"},
        False,
    ),
    "a further block in the place of a library": (
        block(end(), "/lib/x/p", 'signature: "() -> ()"\n')
        + "\n"
        + block(end(), "/lib/x/p/sub", 'signature: "() -> ()"\n'),
        {"path": "/lib/x/p", "libraries": (LibrarySpec(path="/lib/x/p/sub", signature="() -> {z: any}"),)},
        False,
    ),
}


@pytest.mark.parametrize(("text", "fields", "expected"), JUDGED.values(), ids=JUDGED.keys())
def test_tracker_and_checker_judge_an_answer_alike(text: str, fields: dict[str, Any], expected: bool) -> None:
    asked = constraints(**fields)
    assert is_valid(text, asked) is expected
    assert is_allowed(text, asked) is expected


def generate(into: str) -> str:
    return (
        '  - id: a\n    type: generate_subgraph\n    prompt_template: "p"\n'
        f'    namespace_prefix: "{into}"\n    output_keys: ["r"]\n    next: ["{END}"]\n'
    )


@pytest.mark.parametrize("into", list(itertools.product(["", "p", "s", "t", "u", "v"], repeat=2)))
def test_blocks_that_generate_into_each_other_are_refused_where_that_leads_back(into: tuple[str, str]) -> None:
    """The first block generates into ``s``, ``s`` and ``t`` into the blocks given, ``u`` into ``s``."""
    asked = constraints(max_subgraphs=4)
    paths = [f"/dynamic/{'x' if not name else 'p' if name == 'p' else 'p/' + name}" for name in into]
    text = "\n".join(
        (
            block(generate(f"{PATH}/s")),
            block(generate(paths[0]), f"{PATH}/s"),
            block(generate(paths[1]), f"{PATH}/t"),
            block(generate(f"{PATH}/s"), f"{PATH}/u"),
        )
    )
    assert is_allowed(text, asked) is is_valid(text, asked)


def test_a_field_is_known_by_what_the_block_itself_writes() -> None:
    """An input of one block says nothing of a name that a tool writes in another."""
    tool = ToolSpec(name="t", returns={"type": "object", "properties": {"ok": {"type": "string"}}})
    asked = constraints(path="/lib/x/p", tools=(tool,))
    for field, expected in (("ok", True), ("other", False)):
        call = '  - id: a\n    type: tool_call\n    tool: t\n    output_keys: ["r"]\n    next: ["/lib/x/p/b"]\n'
        first = block(call + assign(name="b", value=f'"{{{{ r.{field} }}}}"'), "/lib/x/p", 'signature: "() -> ()"\n')
        text = first + "\n" + block(end(), "/lib/x/p/s", 'signature: "(r: any) -> ()"\n')
        assert is_valid(text, asked) is expected
        assert is_allowed(text, asked) is expected


# --- all small answers -----------------------------------------------------------------------------------------------


def _blocks(path: str, types: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """The nodes of every block of at most three nodes that some of the types make, valid or not."""
    ids = ("a", "b", "c")
    found = []
    for count in (1, 2, 3):
        choices: list[list[str]] = []
        for at in range(count):
            later = [f"{path}/{name}" for name in ids[at + 1 : count]]
            nexts = [(END,), *((name,) for name in (*later, *others))]
            nexts += list(itertools.permutations(later, 2))
            nodes = [end(ids[at])] if "end" in types else []
            if "start" in types:
                nodes += [start(*following, name=ids[at]) for following in nexts]
            if "assign" in types:
                nodes += [assign(*following, name=ids[at]) for following in nexts]
            if "fork" in types:
                forked = [", ".join(f'"{name}"' for name in pair) for pair in itertools.permutations(later, 2)]
                nodes += [f"  - id: {ids[at]}\n    type: fork\n    fork:\n      branches: [{two}]\n" for two in forked]
            choices.append(nodes)
        found += ["".join(nodes) for nodes in itertools.product(*choices)]
    return found


SMALL = {
    "any counts": {"types": ("end", "start"), "max_nodes": 3},
    "a second block is needed": {"types": ("end",), "min_nodes": 2},
    "three nodes in all": {"types": ("start",), "min_nodes": 2, "max_nodes": 3},
    "forks and ends": {"types": ("end", "fork"), "min_nodes": 4, "max_nodes": 4},
    "forks and ends, two nodes": {"types": ("end", "fork"), "min_nodes": 2, "max_nodes": 2},
    "an output required": {
        "types": ("end", "assign"),
        "min_nodes": 3,
        "max_nodes": 3,
        "context": ContextSignature(required_outputs=("x",)),
    },
    "an output that only the first block has": {
        "types": ("end", "start"),
        "signature": "(x: any) -> {x: any}",
        "context": ContextSignature(required_outputs=("x",)),
    },
    "one character": {"types": ("end", "start"), "max_nodes": 3, "max_identifier_chars": 1},
}


@pytest.mark.parametrize("name", SMALL)
def test_every_small_answer_is_allowed_exactly_when_it_is_valid(name: str) -> None:
    fields = dict(SMALL[name])
    types: tuple[str, ...] = fields.pop("types")
    asked = constraints(**fields, allowed_node_types=types)
    keys = 'signature: "(x: any) -> {x: any}"\n' if "signature" in fields else ""
    below = f"{PATH}/a"
    firsts = [block(nodes, keys=keys) for nodes in _blocks(PATH, types, (below,))]
    seconds = [block(nodes, below) for nodes in _blocks(below, types, (f"{PATH}/b",))]
    alone = asked.model_copy(update={"min_nodes": 1})
    good = [text for text in firsts if is_valid(text, alone)]
    other = alone.model_copy(update={"path": below, "signature": None})
    pairs = [*itertools.product(good, [text for text in seconds if is_valid(text, other)])]
    rng = random.Random(name)
    rng.shuffle(pairs)
    # Few of all pairs are valid, so those of which both blocks are come first.
    pairs = pairs[:250] + [(rng.choice(firsts), rng.choice(seconds)) for _ in range(150)]
    texts = [*firsts, *(f"{one}\n{two}" for one, two in pairs)]
    valid = 0
    for text in texts:
        allowed = is_allowed(text, asked)
        assert allowed == is_valid(text, asked), text
        valid += allowed
    assert valid


# --- counts ----------------------------------------------------------------------------------------------------------


def _sums(sizes: list[int], blocks: int) -> set[int]:
    sums, latest = {0}, {0}
    for _ in range(blocks):
        latest = {total + size for total in latest for size in sizes}
        sums |= latest
    return sums


@pytest.mark.parametrize(
    ("leads", "ends", "forks"), [case for case in itertools.product((True, False), repeat=3) if any(case)]
)
def test_what_further_blocks_can_bring_is_what_adding_their_sizes_gives(leads: bool, ends: bool, forks: bool) -> None:
    for most, blocks in itertools.product((1, 2, 3, 4, 5), range(5)):
        if forks and most < 3:
            continue
        further = Further(Env({}), frozenset(), blocks, most, leads, ends, forks)
        sizes = {
            *(range(1, most + 1) if leads else ()),
            *((1,) if ends else ()),
            *(range(3, most + 1) if forks else ()),
        }
        sums = _sums(sorted(sizes), blocks)
        for least in range(1, 14):
            for top in range(least, 15):
                wanted = any(least <= total <= top for total in sums)
                assert further.can_fill(least, top, blocks) is wanted, (most, blocks, least, top)


def lengths(text: str) -> list[int]:
    """The nodes of each block."""
    return [len(subgraph.nodes) for subgraph in parse(text).subgraphs]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"min_nodes": 4}, [4]),
        ({"min_nodes": 1}, [1]),
        ({"min_nodes": 2, "allowed_node_types": ("end",)}, [1, 1]),
        ({"min_nodes": 3, "allowed_node_types": ("start",), "max_subgraphs": 3}, [1, 1, 1]),
        ({"min_nodes": 4, "allowed_node_types": ("end", "fork")}, [4]),
        ({"min_nodes": 30, "max_nodes": 40, "max_identifier_chars": 1}, [24, 6]),
        ({"min_nodes": 2, "max_nodes": 2, "allowed_node_types": ("end", "fork")}, [1, 1]),
    ],
)
def test_the_policy_writes_as_few_blocks_as_it_can(fields: dict[str, Any], expected: list[int]) -> None:
    asked = constraints(**fields)
    text = SemanticTracker(asked).completion().decode()
    assert lengths(text) == expected
    assert is_valid(text, asked)


@pytest.mark.parametrize(
    "fields",
    [
        {"min_nodes": 3, "allowed_node_types": ("end",)},
        {"min_nodes": 4, "allowed_node_types": ("start",), "max_subgraphs": 3},
        {"min_nodes": 49, "max_nodes": 60, "max_identifier_chars": 1},
        {
            "min_nodes": 2,
            "allowed_node_types": ("end",),
            "signature": "(x: any) -> ()",
            "context": ContextSignature(required_outputs=("x",)),
        },
    ],
)
def test_what_all_blocks_together_cannot_reach_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConstraintError):
        Plan.of(constraints(**fields))


def test_no_block_begins_where_all_nodes_are_used() -> None:
    tracker = SemanticTracker(constraints(max_nodes=1))
    assert tracker.accept(block(end()).encode())
    assert tracker.is_complete
    assert not tracker.allowed_next()


def test_no_block_begins_that_could_not_have_what_is_required() -> None:
    tracker = SemanticTracker(
        constraints(
            allowed_node_types=("end",),
            signature="(x: any) -> {x: any}",
            context=ContextSignature(required_outputs=("x",)),
        )
    )
    assert tracker.accept(block(end(), keys='signature: "(x: any) -> {x: any}"\n').encode())
    assert not tracker.allowed_next()


def test_a_block_must_begin_where_nodes_are_missing() -> None:
    tracker = SemanticTracker(constraints(min_nodes=2, allowed_node_types=("end",)))
    assert tracker.accept(block(end()).encode())
    assert not tracker.is_complete
    assert tracker.allowed_next() == frozenset(b"\n")


def test_the_answer_ends_where_it_may() -> None:
    tracker = SemanticTracker(constraints())
    assert tracker.accept(block(end()).encode())
    assert tracker.is_complete
    assert tracker.completion() == b""
    assert tracker.allowed_next() == frozenset(b"\n")


def test_the_words_of_paths_run_out_with_the_blocks() -> None:
    """One character: ``n`` and ``y`` are words of YAML, so 24 are left."""
    tracker = SemanticTracker(
        constraints(max_subgraphs=100, max_nodes=100, max_identifier_chars=1, allowed_node_types=("start",))
    )
    count = 1
    assert tracker.accept(block(start()).encode())
    while tracker.allowed_next():
        assert tracker.accept(b"\n")
        tracker.accept(tracker.completion())
        count += 1
    assert count == 25


# --- walks -----------------------------------------------------------------------------------------------------------

TOOL = ToolSpec(
    name="search",
    parameters={"properties": {"q": {"type": "string"}}, "required": ["q"]},
    returns={"type": "object", "properties": {"hits": {"type": "array"}}},
)
LIBRARY = LibrarySpec(path="/lib/x/f", signature="(x: string) -> {z: any}")

WALKED = {
    "everything": {"max_nodes": 8, "min_nodes": 3},
    "many nodes": {"max_nodes": 30, "min_nodes": 28, "max_identifier_chars": 1},
    "few types": {"max_nodes": 9, "min_nodes": 7, "allowed_node_types": ("fork", "join", "end")},
    "odd counts": {"max_nodes": 26, "min_nodes": 26, "allowed_node_types": ("fork", "end"), "max_identifier_chars": 1},
    "starts": {"max_nodes": 3, "min_nodes": 3, "allowed_node_types": ("start",)},
    "starts and ends": {"max_nodes": 6, "min_nodes": 5, "allowed_node_types": ("start", "end")},
    "ends": {"max_nodes": 3, "min_nodes": 3, "allowed_node_types": ("end",)},
    "an output": {"min_nodes": 3, "context": ContextSignature(required_outputs=("out",)), "targets": (f"{PATH}/a",)},
    "tools and calls": {"tools": (TOOL,), "libraries": (LIBRARY,), "max_nodes": 6, "permissions": ("tool: search",)},
    "a library": {"path": "/lib/x/p", "max_nodes": 5, "min_nodes": 4},
    "generation": {"max_nodes": 4, "allowed_node_types": ("generate_subgraph",), "max_identifier_chars": 2},
}


def _walked(name: str) -> Constraints:
    return constraints(**({"max_subgraphs": 3} | WALKED[name]))


def _next_bytes(tracker: SemanticTracker, rng: random.Random, *, goes_on: bool) -> int | None:
    """A byte that may come next; None where the text may end and does."""
    following = sorted(tracker.allowed_next())
    assert following or tracker.is_complete
    if tracker.is_complete and (not following or not goes_on):
        return None
    return rng.choices(following, [8 if byte in b'"}])\n`' else 1 for byte in following])[0]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", WALKED)
def test_from_every_byte_the_completion_is_allowed_valid_and_prefix_consistent(name: str, seed: int) -> None:
    asked = _walked(name)
    rng = random.Random(f"{name}{seed}")
    tracker, text, made_up = SemanticTracker(asked), bytearray(), 0
    for at in range(4_000):
        if at % 150 == 0:
            _assert_finishes(tracker, bytes(text), asked, rng)
        # Some of the bytes are made up; the policy writes the others, so that walks come to further blocks.
        rest = tracker.completion()
        wild = not rest or (made_up < 500 and rng.random() < 0.4)
        byte = _next_bytes(tracker, rng, goes_on=rng.random() < 0.8) if wild else rest[0]
        if byte is None:
            break
        made_up += wild
        assert tracker.accept(bytes((byte,)))
        text.append(byte)
    _assert_finishes(tracker, bytes(text), asked, rng)


def _assert_finishes(tracker: SemanticTracker, text: bytes, asked: Constraints, rng: random.Random) -> None:
    rest = tracker.completion()
    whole = tracker.fork()
    assert whole.accept(rest)
    assert whole.is_complete
    cut = rng.randrange(len(rest)) if rest else 0
    part = tracker.fork()
    assert part.accept(rest[:cut])
    assert part.completion() == rest[cut:]
    answer = (text + rest).decode()
    assert is_valid(answer, asked), (errors(answer, asked), answer)


def test_walks_come_to_answers_of_every_number_of_blocks() -> None:
    asked = constraints(max_subgraphs=3, allowed_node_types=("end",))
    seen = set()
    for seed in range(12):
        rng = random.Random(seed)
        tracker, text = SemanticTracker(asked), bytearray()
        while (byte := _next_bytes(tracker, rng, goes_on=rng.random() < 0.6)) is not None:
            tracker.accept(bytes((byte,)))
            text.append(byte)
        assert is_valid(text.decode(), asked)
        seen.add(len(lengths(text.decode())))
    assert seen == {1, 2, 3}


def test_the_grammar_accepts_what_the_tracker_writes() -> None:
    """A grammar cannot tie a reference to the path of its block, so it is wider, and never narrower."""
    for name in WALKED:
        asked = _walked(name)
        reader = automaton(lower(asked))
        tracker = SemanticTracker(asked)
        text = tracker.completion()
        tracker.accept(text)
        if tracker.allowed_next():
            tracker.accept(b"\n")
            text += b"\n" + tracker.completion()
        assert reader.accepts(text.decode()), text.decode()


# --- budgets ---------------------------------------------------------------------------------------------------------


def _bits(matcher: SemanticMatcher, size: int) -> Iterator[int]:
    row = np.zeros((1, -(-size // 32)), dtype=np.int32)
    matcher.fill_bitmask(row, 0)
    allowed = np.unpackbits(row.view(np.uint8), bitorder="little")
    return iter(np.flatnonzero(allowed).tolist())


@pytest.mark.parametrize("spare", [0, 1, 60, 120])
@pytest.mark.parametrize("name", ["starts", "starts and ends", "an output"])
def test_from_the_minimum_up_every_answer_fits_into_its_budget(name: str, spare: int) -> None:
    tokenizer = load_tokenizer("bytes")
    asked = _walked(name)
    budget = minimum_tokens(asked, tokenizer) + spare
    rng = random.Random(f"{name}{spare}")
    matcher, tokens = SemanticMatcher(asked, tokenizer, max_output_tokens=budget), []
    while not matcher.is_terminated():
        allowed = list(_bits(matcher, tokenizer.vocab_size))
        assert allowed, bytes(tokens[-80:])
        assert spare or len(allowed) == 1
        token = rng.choice(allowed)
        assert matcher.accept(token)
        tokens.append(token)
    assert len(tokens) <= budget
    assert is_valid(bytes(tokens[:-1]).decode(), asked)


def test_a_budget_below_the_minimum_of_two_blocks_is_refused_with_the_number() -> None:
    tokenizer = load_tokenizer("bytes")
    asked = constraints(min_nodes=2, allowed_node_types=("end",))
    shortest = block("  - id: end\n    type: end\n")
    least = len(shortest + "\n" + shortest) + len("/a") + 1
    assert minimum_tokens(asked, tokenizer) == least
    with pytest.raises(ConstraintError, match=str(least)):
        SemanticMatcher(asked, tokenizer, max_output_tokens=least - 1)
