"""A matcher straight from a spec and a tokenizer."""

from __future__ import annotations

import pytest

from agentic_dsl import ConstraintError, Constraints, Matcher, compile, load_tokenizer
from agentic_dsl.runtime.masks import allocate_bitmask

pytestmark = pytest.mark.masks

TEXT = (
    "### AgenticDSL `/dynamic/plan`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\nnodes:\n"
    "  - id: done\n    type: end\n# --- END AgenticDSL ---\n```\n"
)


def test_it_follows_a_text_to_its_end_and_back() -> None:
    tokenizer = load_tokenizer("bytes")
    matcher = Matcher(compile(Constraints(max_nodes=1)), tokenizer)
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    for token in tokenizer.encode(TEXT):
        assert matcher.fill_bitmask(bitmask, 0)
        assert bitmask[0, token // 32] >> (token % 32) & 1
        assert matcher.accept(token)
    assert not matcher.is_terminated()
    assert matcher.accept(tokenizer.eos_token_ids[0])
    assert matcher.is_terminated()
    matcher.rollback(1)
    assert not matcher.is_terminated()


def test_a_token_that_the_grammar_forbids_changes_nothing() -> None:
    tokenizer = load_tokenizer("bytes")
    matcher = Matcher(compile(Constraints()), tokenizer)
    assert not matcher.accept(ord("x"))
    assert matcher.accept(ord("#"))


def test_a_spec_in_another_dialect_is_refused() -> None:
    with pytest.raises(ConstraintError, match="gbnf"):
        Matcher(compile(Constraints(), dialect="gbnf"), load_tokenizer("bytes"))
