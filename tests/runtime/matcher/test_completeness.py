"""The matcher forbids nothing that is valid: generated documents byte by byte, published plans token by token."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from agentic_dsl.ast import Document
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, LibrarySpec
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format import format_document, format_subgraph
from agentic_dsl.node_table import Fork, Join
from agentic_dsl.runtime import models
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import load_tokenizer
from benchmarks.data import data_folder
from benchmarks.token_by_token import DATA_SETS, cases, refusal
from tests.strategies.generated import Case, generated_cases
from tests.strategies.profile import law
from tests.strategies.small_dags import DagCase, dag_cases

EVERY = 12
"""Of the published plans every twelfth is tried here; ``python -m benchmarks.token_by_token`` tries them all."""


def _accepts(tracker: SemanticTracker, text: str) -> bool:
    """Whether each byte is allowed where it stands, and the text may end where it ends."""
    for byte in text.encode():
        if not tracker.accept(bytes((byte,))):
            return False
    return tracker.is_complete


@law(100)
@given(generated_cases())
def test_an_answer_that_is_built_to_be_valid_is_accepted_byte_by_byte(case: Case) -> None:
    text = format_subgraph(case.subgraph)
    assert _accepts(SemanticTracker(case.constraints), text), text


@pytest.mark.parametrize("value", ["%7B", "%7B%7B", "%7B%7B%20x%20%7D%7D", "%7B%25", "a%7D"])
def test_an_escaped_brace_is_a_character_like_any_other(value: str) -> None:
    constraints = Constraints(
        libraries=(LibrarySpec(path="/lib/text/tidy", signature="(text: string) -> {tidy: string}"),)
    )
    text = (
        "### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
        "  - id: a\n    type: assign\n    assign:\n      b: 1\n"
        f'    next: ["/lib/text/tidy?text={value}", "/__system__/end_soft"]\n# --- END AgenticDSL ---\n```\n'
    )
    assert [finding.code for finding in check(parse(text), constraints=constraints)] == []
    assert _accepts(SemanticTracker(constraints), text)


def _is_valid(case: DagCase, text: str) -> bool:
    """Whether a document is valid, and canonical."""
    document = parse(text)
    if any(finding.is_error for finding in check(document, constraints=case.constraints)):
        return False
    return format_document(document) == text


SHAPES = ("join", "handler", "call", "field", "fork", "diamond of writers")


def _shapes(case: DagCase, text: str) -> set[str]:
    """What is worth seeing in a document."""
    nodes = case.subgraph.nodes
    found = {node.type for node in nodes if isinstance(node, Fork | Join)}
    found |= {"handler"} if "    on_error:" in text or "    on_failure:" in text else set()
    found |= {"call"} if '"/lib/' in text else set()
    found |= {"field"} if ".price" in text else set()
    found |= {"diamond of writers"} if "merge_strategy" in text else set()
    return found


def test_valid_graphs_of_every_shape_are_accepted_byte_by_byte() -> None:
    """Graphs drawn without regard to the rules; those that the checker accepts are held against the tracker."""
    seen: Counter[str] = Counter()

    @seed(3)
    @law(1_000)
    @given(dag_cases())
    def judge(case: DagCase) -> None:
        text = format_document(Document(blocks=(case.subgraph,)))
        valid = _is_valid(case, text)
        try:
            tracker = SemanticTracker(case.constraints)
        except ConstraintError:
            assert not valid, text
            return
        assert _accepts(tracker, text) == valid, text
        seen["drawn"] += 1
        seen.update({"valid", *_shapes(case, text)} if valid else ())

    judge()
    assert seen["valid"] > 150, seen
    assert all(seen[shape] > 5 for shape in SHAPES), seen


@pytest.mark.data
@pytest.mark.parametrize("data_set", DATA_SETS)
def test_published_plans_are_accepted_token_by_token(data_set: str) -> None:
    if data_folder(data_set) is None:
        pytest.skip(f"no folder {data_set} in the task data; set AGENTIC_DSL_DATA")
    if models.model_path("smollm2") is None:
        pytest.skip("the tokenizer of the model is not there: agentic-dsl models pull smollm2")
    tokenizer = load_tokenizer("smollm2")
    overlay = Overlay(trie_of(tokenizer.vocabulary))
    tried = [case for number, case in enumerate(cases(data_set)) if number % EVERY == 0]
    assert len(tried) > 10
    assert [found for case in tried if (found := refusal(case, tokenizer, overlay)) is not None] == []


@law(60)
@given(generated_cases(), st.data())
def test_whatever_is_cut_off_a_valid_answer_can_be_completed(case: Case, data: st.DataObject) -> None:
    text = format_subgraph(case.subgraph).encode()
    tracker = SemanticTracker(case.constraints)
    assert tracker.accept(text[: data.draw(st.integers(0, len(text)))])
    rest = tracker.completion()
    assert tracker.accept(rest)
    assert tracker.is_complete


@pytest.mark.parametrize(("key", "allowed"), [("Y", False), ("tRue", False), ("Yes1", True), ("q", True), ("Q", True)])
def test_an_argument_of_an_unknown_tool_has_a_key_that_yaml_takes_for_a_word(key: str, allowed: bool) -> None:
    tracker = SemanticTracker(Constraints())
    assert tracker.accept(
        b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
        b"  - id: a\n    type: tool_call\n    tool: t\n    arguments:\n"
    )
    assert tracker.allows(f"      {key}: 0\n".encode()) == allowed
