"""Laws between the emitted grammar and everything else that knows the language."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentic_dsl.ast import Document
from agentic_dsl.compiler.grammar.automaton import Automaton
from agentic_dsl.compiler.grammar.ir import Grammar
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.sample import sample
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.format import format_document, format_subgraph, normalise
from tests.compiler.grammar.acceptors import accepts, automaton
from tests.compiler.grammar.gbnf_reader import read_gbnf
from tests.compiler.grammar.requests import REQUESTS
from tests.strategies.generated import Case, generated_cases

pytestmark = pytest.mark.masks

relaxed = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
)

DUPLICATE_KEY = "ADL102"
"""A free mapping can hold a key twice: no regular rule sees that, and the report says so."""

seeds = st.integers(0, 2**32)


@cache
def grammar(name: str) -> Grammar:
    return lower(REQUESTS[name])


@cache
def readers(name: str) -> tuple[str, Automaton, Automaton]:
    """The EBNF, the IR and the IR that the GBNF text reads back as."""
    gbnf = compile(REQUESTS[name], dialect="gbnf").grammar
    return compile(REQUESTS[name]).grammar, automaton(grammar(name)), automaton(read_gbnf(gbnf))


@relaxed
@given(generated_cases())
def test_a_valid_answer_in_the_generated_form_is_accepted(case: Case) -> None:
    assert accepts(compile(case.constraints).grammar, format_subgraph(case.subgraph))


@relaxed
@given(st.sampled_from(sorted(REQUESTS)), seeds)
def test_whatever_is_accepted_reads_back_without_an_error_and_prints_as_itself(name: str, seed: int) -> None:
    text = sample(grammar(name), Random(seed))
    assert accepts(readers(name)[0], text)
    document = parse(text)
    errors = [finding for finding in document.diagnostics if finding.is_error]
    assert [finding for finding in errors if finding.code != DUPLICATE_KEY] == []
    # A grammar cannot make references point forward; where they do not, printing puts the nodes in order.
    if not errors and order(normalise(document)) == order(document):
        assert format_document(document) == text


def order(document: Document) -> list[list[str]]:
    """Ids as they stand, block by block."""
    return [[node.id for node in subgraph.nodes] for subgraph in document.subgraphs]


@relaxed
@given(st.sampled_from(sorted(REQUESTS)), seeds)
def test_the_dialects_and_the_representation_agree_on_sentences_and_near_misses(name: str, seed: int) -> None:
    random = Random(seed)
    text = sample(grammar(name), random)
    ebnf, by_ir, by_gbnf = readers(name)
    assert accepts(ebnf, text)
    assert by_ir.accepts(text)
    assert by_gbnf.accepts(text)
    for _ in range(5):
        text = mutated(text, random)
        verdict = accepts(ebnf, text)
        assert by_ir.accepts(text) is verdict
        assert by_gbnf.accepts(text) is verdict


def mutated(text: str, random: Random) -> str:
    """A text with one small change, of a sort that slips through where rules are loose."""
    at, other = sorted((random.randrange(len(text)), random.randrange(len(text))))
    lines = text.splitlines(keepends=True)
    line = random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + random.choice(text + '"\\{}%#\n ') + text[at:]
        case 2:
            return text[:at] + random.choice(text + '"\\{}%#\n é') + text[at + 1 :]
        case 3:
            return text[:at] + text[at:other][::-1] + text[other:] if other - at < 4 else text[:at] + text[other:]
        case 4:
            return "".join(lines[:line] + lines[line + 1 :]) or "\n"
        case _:
            return "".join([*lines[: line + 1], lines[line], *lines[line + 1 :]])
