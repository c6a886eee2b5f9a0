"""Tokens, masks, rollbacks, budgets."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.errors import ConstraintError, EngineError
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.completion import costs
from agentic_dsl.runtime.matcher.frames import feed
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.matcher.vocabulary_trie import VocabularyTrie
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Vocabulary
from benchmarks.constraint_sets import sample

SAMPLE = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: fetch
    type: tool_call
    tool: search
    arguments:
      q: "a {{ $.query }} b\\n {x} é 漢字"
    output_keys: ["res", "price"]
    on_error: "/dynamic/plan/end"
    next: ["/dynamic/plan/b", "/dynamic/plan/end"]
# --- END AgenticDSL ---
```
"""


def _pieces() -> Tokenizer:
    """All bytes, and pieces of a document of up to six bytes at every offset: tokens that cross every border."""
    data = SAMPLE.encode()
    pieces = {data[at : at + size] for at in range(len(data)) for size in range(2, 7)}
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(pieces), None]
    vocabulary = Vocabulary(tuple(tokens), {len(tokens) - 1: "<end>"}, (len(tokens) - 1,))
    return Tokenizer("pieces", vocabulary, load_tokenizer("bytes").codec)


PIECES = _pieces()
OVERLAY = Overlay(VocabularyTrie(PIECES.vocabulary))


def _allowed(matcher: SemanticMatcher) -> list[int]:
    bitmask = allocate_bitmask(1, PIECES.vocab_size)
    matcher.fill_bitmask(bitmask, 0)
    bits = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")
    return np.flatnonzero(bits[: PIECES.vocab_size]).tolist()


def _matcher(seed: int, **options) -> SemanticMatcher | None:
    try:
        return SemanticMatcher(sample(random.Random(seed)), PIECES, overlay=OVERLAY, **options)
    except ConstraintError:
        return None


@pytest.mark.parametrize("seed", range(30))
def test_the_mask_holds_exactly_the_tokens_whose_bytes_are_allowed(seed):
    matcher, rng = _matcher(seed), random.Random(seed)
    for at in range(120 if matcher else 0):
        allowed = _allowed(matcher)
        if at % 6 == 0 and not matcher.frame.is_final:
            tokens = PIECES.vocabulary.tokens
            expected = [i for i, t in enumerate(tokens) if t and feed(matcher.frame, t) is not None]
            assert allowed == expected
        assert matcher.accept(rng.choice(allowed))
        if matcher.is_terminated():
            break


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 200), st.integers(1, 60), st.data())
def test_after_a_rollback_masks_are_those_of_a_fresh_matcher(seed, count, data):
    budget = data.draw(st.sampled_from([None, 300]))
    matcher = _matcher(seed, max_output_tokens=budget)
    if matcher is None:
        return
    rng, accepted = random.Random(seed), []
    while len(accepted) < count and not matcher.is_terminated():
        accepted.append(rng.choice(_allowed(matcher)))
        assert matcher.accept(accepted[-1])
    forked = matcher.fork()
    back = data.draw(st.integers(0, len(accepted)))
    matcher.rollback(back)
    fresh = _matcher(seed, max_output_tokens=budget)
    for token_id in accepted[: len(accepted) - back]:
        assert fresh.accept(token_id)
    assert _allowed(matcher) == _allowed(fresh)
    assert matcher.is_terminated() == fresh.is_terminated()
    forked.rollback(back)
    assert _allowed(forked) == _allowed(fresh)


@pytest.mark.parametrize("seed", range(12))
def test_at_the_minimal_budget_every_token_is_forced_and_the_answer_fits(seed):
    constraints = sample(random.Random(seed))
    try:
        least = minimum_tokens(constraints, PIECES)
    except ConstraintError:
        return
    matcher = SemanticMatcher(constraints, PIECES, max_output_tokens=least, overlay=OVERLAY)
    for _ in range(least):
        [only] = _allowed(matcher)
        assert matcher.accept(only)
    assert matcher.is_terminated()


def test_a_budget_below_the_minimum_is_refused_with_that_number():
    least = minimum_tokens(Constraints(), PIECES)
    with pytest.raises(ConstraintError, match=f"takes {least} tokens"):
        SemanticMatcher(Constraints(), PIECES, max_output_tokens=least - 1)


@given(st.binary(max_size=12).map(lambda data: bytes(97 + byte % 3 for byte in data)))
def test_costs_are_those_of_the_shortest_segmentation(text):
    tokens = [b"a", b"b", b"c", b"ab", b"abc", b"bca", b"cc"]
    root = VocabularyTrie(Vocabulary((*tokens, None), {7: "<end>"}, (7,))).root
    best = [1]
    for start in range(len(text) - 1, -1, -1):
        rest = text[start:]
        best.insert(0, 1 + min(best[len(token) - 1] for token in tokens if rest.startswith(token)))
    found = costs(root, text)
    assert list(found.at) == best
    assert list(costs(root, text, costs(root, b"ab" + text[3:])).at) == best


REFUSED = {
    "a required output that no node can write": (
        Constraints(context=ContextSignature(required_outputs=("Result",))),
        'the required output "Result" is no key that generated text can write',
    ),
    "a required output without a type that writes": (
        Constraints(allowed_node_types=("start", "end"), context=ContextSignature(required_outputs=("x",))),
        'nothing can write the required output "x"',
    ),
    "more nodes than the types allow": (
        Constraints(allowed_node_types=("start", "fork"), min_nodes=2),
        "min_nodes is 2, and an answer .* has at most 1",
    ),
    "only a type that needs a successor": (Constraints(allowed_node_types=("fork",)), "no subgraph of fork alone"),
    "only a type that cannot be first": (Constraints(allowed_node_types=("join",)), "no subgraph of join alone"),
    "no tool to call": (Constraints(allowed_node_types=("tool_call",), tools=()), "no node type is left"),
    "more nodes than one end": (Constraints(allowed_node_types=("end",), min_nodes=2), "has at most 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_constraints_that_admit_no_document_are_refused_with_the_reason(name):
    constraints, reason = REFUSED[name]
    with pytest.raises(ConstraintError, match=reason):
        Plan.of(constraints)


def test_a_template_reads_only_what_is_there():
    tracker = SemanticTracker(Constraints(context=ContextSignature(available_vars=["query"])))
    assert tracker.accept(
        b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
        b'  - id: a\n    type: assign\n    assign:\n      x: "{{ '
    )
    assert all(tracker.allows(name) for name in (b"query }}", b"$.query.f", b"inputs.query }}", b"default(other, 0)"))
    assert not any(tracker.allows(name) for name in (b"x }}", b"quer }}", b"other", b"length(x)", b"default(other, x)"))


def test_below_a_declared_result_only_its_fields_are_read():
    returns = {"type": "object", "properties": {"price": {"type": "number"}, "rows": {"type": "array"}}}
    tools = (ToolSpec(name="find", returns=returns),)
    tracker = SemanticTracker(Constraints(tools=tools, context=ContextSignature()))
    assert tracker.accept(
        b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
        b'  - id: a\n    type: tool_call\n    tool: find\n    output_keys: ["f"]\n    next: ["/dynamic/plan/b"]\n'
        b'  - id: b\n    type: assert\n    condition: "{{ $.f.'
    )
    assert tracker.allowed_next() == frozenset(b"pr")
    assert tracker.allows(b"rows[0].any }}")


def test_a_join_waits_for_its_sources_in_their_order():
    tracker = SemanticTracker(Constraints(context=ContextSignature()))
    assert tracker.accept(
        b"### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
        b'  - id: f\n    type: fork\n    fork:\n      branches: ["/dynamic/plan/a", "/dynamic/plan/b"]\n'
        b'  - id: b\n    type: assign\n    assign:\n      x: 1\n    next: ["/dynamic/plan/j"]\n'
        b'  - id: a\n    type: assign\n    assign:\n      x: 2\n    next: ["/dynamic/plan/j"]\n'
        b"  - id: j\n    type: join\n    join:\n"
    )
    assert tracker.completion().startswith(
        b'      wait_for: ["/dynamic/plan/b", "/dynamic/plan/a"]\n      merge_strategy: '
    )
    assert not tracker.allows(b'      wait_for: ["/dynamic/plan/b", "/dynamic/plan/a"]\n    next')


def test_forced_text_is_what_every_completion_goes_on_with():
    matcher = SemanticMatcher(Constraints(), PIECES, overlay=OVERLAY)
    text = matcher.jump_forward()
    assert text.endswith("nodes:\n  - id: ")
    tracker = SemanticTracker(Constraints())
    assert all(tracker.allowed_next() == {byte} and tracker.accept(bytes([byte])) for byte in text.encode())


def test_an_array_of_another_shape_is_an_error_of_ours():
    matcher = SemanticMatcher(Constraints(), PIECES, overlay=OVERLAY)
    with pytest.raises(EngineError, match="cannot hold the mask"):
        matcher.fill_bitmask(np.zeros((1, 3), dtype=np.int32), 0)
    with pytest.raises(EngineError, match="cannot be taken back"):
        matcher.rollback(1)
