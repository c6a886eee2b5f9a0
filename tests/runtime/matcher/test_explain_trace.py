"""`explain_trace`: the first token that is not allowed, by what it spells or by the budget."""

import random

import numpy as np
import pytest

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.matcher.explain_trace import explain_trace, text_of_trace
from agentic_dsl.runtime.matcher.frames import finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher, minimum_tokens
from agentic_dsl.runtime.tokenizer import load_tokenizer

BYTES = load_tokenizer("bytes")
SMALL = Constraints(max_nodes=3, allowed_node_types=("assign", "end"), max_text_chars=20)
SHORTEST = finish(start(Plan.of(SMALL))).decode()


def test_a_whole_answer_needs_no_explanation_with_and_without_its_end_token():
    ids = BYTES.encode(SHORTEST)
    assert text_of_trace(BYTES, ids).decode() == SHORTEST
    assert explain_trace(SMALL, BYTES, ids) is None
    assert explain_trace(SMALL, BYTES, [*ids, BYTES.eos_token_ids[0]]) is None


def test_a_forbidden_token_is_named_with_its_number():
    text = SHORTEST.replace("id: end", "id: a").replace("type: end", "type: fork")
    at, ids = text.index("fork"), BYTES.encode(text)
    found = explain_trace(SMALL, BYTES, ids)
    assert (found.status, found.token.index, found.token.id) == ("forbidden", at, ord("f"))
    assert found.constraints == ("allowed_node_types",)


def test_an_end_token_that_comes_early_leaves_the_answer_incomplete():
    end = BYTES.eos_token_ids[0]
    found = explain_trace(SMALL, BYTES, [*BYTES.encode(SHORTEST[:-10]), end])
    assert (found.status, found.token.id) == ("incomplete", end)
    assert found.completion == SHORTEST[-10:]


def test_nothing_may_follow_the_end():
    end = BYTES.eos_token_ids[0]
    found = explain_trace(SMALL, BYTES, [*BYTES.encode(SHORTEST), end, end])
    assert (found.status, found.token.index) == ("forbidden", len(SHORTEST))


def test_an_id_that_the_tokenizer_lacks_is_an_error_that_says_so():
    with pytest.raises(UsageError, match="token 1 of the trace has the id 99999"):
        explain_trace(SMALL, BYTES, [1, 99_999])


def test_the_budget_is_broken_by_the_first_token_after_which_the_end_is_too_far():
    least = minimum_tokens(SMALL, BYTES)
    assert explain_trace(SMALL, BYTES, BYTES.encode(SHORTEST), max_output_tokens=least) is None
    longer = SHORTEST.replace("id: end", "id: abcd")
    assert len(longer) == len(SHORTEST) + 1
    found = explain_trace(SMALL, BYTES, BYTES.encode(longer), max_output_tokens=least)
    at = longer.index("abcd") + 3
    assert (found.status, found.token.index) == ("over_budget", at)
    gap = found.budget
    assert (gap.limit, gap.used, gap.left) == (least, at + 1, least - at - 1)
    assert gap.needed == gap.left + 1
    assert found.constraints == ("max_output_tokens",)
    assert f"{gap.needed:,}" in found.message


@pytest.mark.parametrize("seed", range(6))
def test_what_the_matcher_writes_within_its_budget_is_never_over_it(seed):
    rng = random.Random(seed)
    limit = minimum_tokens(SMALL, BYTES) + rng.randrange(60)
    matcher = SemanticMatcher(SMALL, BYTES, max_output_tokens=limit)
    mask = np.zeros((1, (BYTES.vocab_size + 31) // 32), dtype=np.int32)
    ids = []
    while not matcher.is_terminated():
        matcher.fill_bitmask(mask, 0)
        row = mask[0].view(np.uint32)
        allowed = [i for i in range(BYTES.vocab_size) if int(row[i >> 5]) >> (i & 31) & 1]
        ids.append(rng.choice(allowed))
        assert matcher.accept(ids[-1])
    assert len(ids) <= limit
    assert explain_trace(SMALL, BYTES, ids, max_output_tokens=limit) is None
