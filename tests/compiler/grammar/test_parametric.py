"""Grammars with parameters: what they admit is a valid graph, and every valid graph of the form is admitted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from random import Random

import pytest

from agentic_dsl import codes
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.grammar import parametric
from agentic_dsl.compiler.grammar.enforcement import Level
from agentic_dsl.compiler.grammar.held_rules import HELD
from agentic_dsl.compiler.grammar.ir import Literal, Ref, seq
from agentic_dsl.compiler.grammar.parametric import MOST_IDS, emit_parametric
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec
from agentic_dsl.diagnostics import Code, Severity
from agentic_dsl.errors import ConstraintError
from agentic_dsl.node_table import GENERATED_TYPES, NODE_TABLE
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler, LlguidanceMatcher
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.tokenizer import load_tokenizer

np = pytest.importorskip("numpy")
llguidance = pytest.importorskip("llguidance")
pytestmark = pytest.mark.masks

NOT_OF_THE_GRAPH: frozenset[Code] = frozenset(
    {
        codes.UNKNOWN_NAME,
        codes.NOT_YET_AVAILABLE,
        codes.TEXT_TOO_LONG,
        codes.DUPLICATE_KEY,
        codes.NOT_GENERATED_FORM,
    }
)
"""Findings that `HELD` and the constraints leave to the check: names, lengths, words and keys written twice."""

END = 256
CLOSING = frozenset(b'"\n]}`')


@lru_cache(maxsize=1)
def compiler() -> LlguidanceCompiler:
    return LlguidanceCompiler(load_tokenizer("bytes"))


def accepts(grammar: str, text: str) -> bool:
    matcher = compiler().matcher(grammar)
    return all(map(matcher.accept, text.encode())) and matcher.accept(END)


def faults(text: str, constraints: Constraints) -> list[str]:
    """What the check finds wrong with the graph."""
    found = check(parse(text), constraints=constraints, mode="strict")
    return [
        f"{diagnostic.code}: {diagnostic.message}"
        for diagnostic in found
        if diagnostic.severity is Severity.ERROR and diagnostic.kind not in NOT_OF_THE_GRAPH
    ]


def request(random: Random) -> Constraints:
    """Plain constraints that a graph can meet."""
    most = random.choice([1, 2, 3, 5, 8, 16, 32])
    types = None
    if random.random() < 0.5:
        types = ("assert", *random.sample(GENERATED_TYPES, random.randint(1, 5)))
    return Constraints(
        max_nodes=most,
        min_nodes=random.randint(1, min(most, random.choice([1, 4, 32]))),
        allowed_node_types=types,
        targets=("/end",) if random.random() < 0.2 else (),
        max_subgraph_depth=random.randint(0, 1),
    )


def walk(matcher: LlguidanceMatcher, random: Random, *, closing: float, growing: bool) -> str:
    """A random text; after 1,500 bytes everything that can be closed is."""
    bitmask = allocate_bitmask(1, 260)
    taken: list[int] = []
    while not matcher.is_terminated():
        matcher.fill_bitmask(bitmask, 0)
        allowed = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")).tolist()
        assert allowed, bytes(taken)
        close = [token for token in allowed if token in CLOSING]
        token = random.choice(allowed)
        if growing and allowed == sorted(b",]") and random.random() < 0.8:
            token = ord(",")
        elif close and random.random() < (closing if len(taken) < 1_500 else 0.98):
            token = random.choice(close)
        assert matcher.accept(token)
        taken.append(token)
        assert len(taken) < 40_000, bytes(taken[-500:])
    return load_tokenizer("bytes").decode(taken)


@pytest.mark.parametrize("batch", range(10))
def test_every_text_is_a_valid_graph(batch: int) -> None:
    wrong = []
    for seed in range(batch * 50, batch * 50 + 50):
        random = Random(seed)
        constraints = request(random)
        grammar = emit_parametric(constraints)
        text = walk(compiler().matcher(grammar.text), random, closing=(0.15, 0.5)[seed % 2], growing=seed % 5 == 0)
        [block] = parse(text).subgraphs
        assert constraints.min_nodes <= len(block.nodes) <= constraints.max_nodes
        assert {node.id for node in block.nodes} <= set(grammar.ids)
        if found := faults(text, constraints):
            wrong.append((seed, found, text))
    assert wrong == []


def document(nodes: Iterable[str]) -> str:
    begin = "### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
    return f"{begin}{''.join(nodes)}# --- END AgenticDSL ---\n```\n"


def shapes(ids: tuple[str, ...]) -> list[str]:
    """Every end and assert whose references name these ids, in rising order, or the system's end."""
    made = ["    type: end\n"]
    lists = [c for size in range(1, len(ids) + 1) for c in itertools.combinations(ids, size)]
    following = ['["/__system__/end_soft"]']
    following += ["[" + ", ".join(f'"/dynamic/plan/{name}"' for name in names) + "]" for names in lists]
    for failing in ["", *(f'    on_failure: "/dynamic/plan/{name}"\n' for name in ids)]:
        made += [f'    type: assert\n    condition: "{{{{ x }}}}"\n{failing}    next: {line}\n' for line in following]
    made.append(f"    type: fork\n    fork:\n      branches: {following[-1]}\n")
    return made


@pytest.mark.parametrize(
    ("count", "nodes", "tried"), [(1, 1, None), (2, 1, None), (2, 2, None), (3, 3, 2000), (4, 4, 2000)]
)
def test_exactly_the_valid_graphs_are_admitted(count: int, nodes: int, tried: int | None) -> None:
    """For every (or many a random) combination of nodes, the grammar and the check agree."""
    constraints = Constraints(max_nodes=count, allowed_node_types=("end", "assert", "fork"))
    grammar = emit_parametric(constraints)
    bodies = shapes(grammar.ids)
    random = Random(5)
    if tried is None:
        later = itertools.product(
            itertools.product(grammar.ids, repeat=nodes - 1), itertools.product(bodies, repeat=nodes)
        )
        cases = list(later)
    else:
        cases = [
            (tuple(random.choices(grammar.ids, k=nodes - 1)), tuple(_mostly_forward(bodies, nodes, random)))
            for _ in range(tried)
        ]
    admitted = 0
    for names, chosen in cases:
        written = zip((grammar.ids[0], *names), chosen, strict=True)
        text = document(f"  - id: {name}\n{body}" for name, body in written)
        valid = not faults(text, constraints) and _stands_in_order(text)
        assert accepts(grammar.text, text) == valid, text
        admitted += valid
    assert admitted


def _mostly_forward(bodies: list[str], nodes: int, random: Random) -> Iterable[str]:
    """Bodies that are likely to make a graph: without references to the first id, the last ones without any."""
    forward = [body for body in bodies if "plan/n1" not in body]
    closing = [body for body in forward if "/dynamic/" not in body]
    for number in range(nodes):
        yield random.choice(closing if random.random() < number / nodes else forward)


def _stands_in_order(text: str) -> bool:
    """Whether references point forward, as the canonical layout has it; the check takes any order."""
    order = re.findall(r"- id: (\w+)", text)
    for number, node in enumerate(text.split("  - id: ")[1:]):
        if set(re.findall(r"/plan/(\w+)", node)) & set(order[: number + 1]):
            return False
    return True


def test_all_ids_can_be_used() -> None:
    grammar = emit_parametric(Constraints(max_nodes=MOST_IDS, allowed_node_types=("assert", "end")))
    assert len(grammar.ids) == MOST_IDS
    chain = [
        f'  - id: n{i}\n    type: assert\n    condition: "{{{{ x }}}}"\n    next: ["/dynamic/plan/n{i + 1}"]\n'
        for i in range(1, MOST_IDS)
    ]
    end = f"  - id: n{MOST_IDS}\n    type: end\n"
    assert accepts(grammar.text, document([*chain, end]))
    assert not accepts(grammar.text, document([*chain[:-1], end]))
    everything = ", ".join(f'"/dynamic/plan/n{i}"' for i in range(2, MOST_IDS + 1))
    ends = [f"  - id: n{i}\n    type: end\n" for i in range(MOST_IDS, 1, -1)]
    first = f'  - id: n1\n    type: assert\n    condition: "{{{{ x }}}}"\n    next: [{everything}]\n'
    assert accepts(grammar.text, document([first, *ends]))


def test_min_nodes_is_enforced() -> None:
    grammar = emit_parametric(Constraints(max_nodes=4, min_nodes=3, allowed_node_types=("assert", "end")))

    def chain(count: int) -> str:
        last = f"  - id: n{count}\n    type: end\n"
        rest = [
            f'  - id: n{i}\n    type: assert\n    condition: "{{{{ x }}}}"\n    next: ["/dynamic/plan/n{i + 1}"]\n'
            for i in range(1, count)
        ]
        return document([*rest, last])

    assert [accepts(grammar.text, chain(count)) for count in (1, 2, 3, 4)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (Constraints(max_subgraphs=2), "several subgraphs"),
        (Constraints(libraries=(LibrarySpec(path="/lib/a/b"),)), "library calls"),
        (Constraints(context=ContextSignature(required_outputs=("x",))), "required outputs"),
        (Constraints(signature="() -> {x: string}"), "a signature"),
        (Constraints(path="/lib/utils/mine"), "a signature"),
        (Constraints(max_nodes=33), "max_nodes is 33, and a grammar with parameters has no more than 32 ids"),
        (Constraints(targets=("/dynamic/plan/n2",)), "targets below its own path"),
        (Constraints(allowed_node_types=("fork", "join")), "can end a path"),
        (Constraints(allowed_node_types=("join",)), "can end a path"),
        (Constraints(allowed_node_types=("start", "end"), min_nodes=2), "min_nodes"),
        (Constraints(allowed_node_types=("fork", "end"), min_nodes=3), "min_nodes"),
    ],
)
def test_what_it_cannot_enforce_is_refused(constraints: Constraints, message: str) -> None:
    with pytest.raises(ConstraintError, match=message) as caught:
        emit_parametric(constraints)
    assert caught.value.help


def test_without_a_type_that_can_close_later_nodes_there_is_one_node() -> None:
    grammar = emit_parametric(Constraints(allowed_node_types=("start",)))
    assert grammar.ids == ("n1",)
    assert accepts(grammar.text, document(['  - id: n1\n    type: start\n    next: ["/__system__/end_soft"]\n']))


def test_no_rule_is_a_change_of_the_number_alone() -> None:
    # llguidance 1.9 inlines such rules and forgets the change.
    text = emit_parametric(Constraints()).text
    assert "::set_bit(" in text
    assert not re.search(r"^\w+::_: \w+::(?!_$)\S+$", text, re.MULTILINE)


def test_engines_take_the_text_as_it_is() -> None:
    for constraints in (Constraints(), Constraints(max_nodes=32, min_nodes=7)):
        grammar = emit_parametric(constraints)
        assert llguidance.LLMatcher.validate_grammar(grammar.text) == ""
        # vLLM and SGLang hand grammars on through this function, which must not take it for another dialect.
        assert llguidance.grammar_from("grammar", grammar.text) == llguidance.LLMatcher.grammar_from_lark(grammar.text)
        assert emit_parametric(constraints) == grammar


def test_what_it_leaves_to_the_check_is_not_about_the_graph() -> None:
    assert {rule.point for rule in HELD if rule.parametric is Level.CHECKED} == {6, 7, 8}
    assert {rule.name for rule in HELD if rule.parametric is Level.CHECKED} == {
        "generation",
        "permissions",
        "keys",
        "words",
    }


def test_a_node_type_whose_references_cannot_be_marked_is_refused_and_no_crash() -> None:
    # No row of the table is so today; a row of tomorrow may be.
    body = seq(Literal("a"), Ref("next_field"), Literal("b"))
    with pytest.raises(ConstraintError, match="cannot follow every reference") as caught:
        parametric._split(NODE_TABLE["assign"], body)
    assert "another dialect" in (caught.value.help or "")
