"""A matcher straight from a spec and a tokenizer."""

from __future__ import annotations

import pytest

from agentic_dsl import ConstraintError, Constraints, EngineError, Matcher, compile, load_tokenizer
from agentic_dsl.compiler.pipeline import Dialect
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher import Matcher as Protocol

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


DANGLING = TEXT.replace("  - id: done\n    type: end\n", '  - id: a\n    type: start\n    next: ["/dynamic/plan/b"]\n')
"""A text of the grammar that names a node which is not there."""


def follows(matcher: Matcher, text: str) -> bool:
    tokenizer = load_tokenizer("bytes")
    return all(map(matcher.accept, [*tokenizer.encode(text), tokenizer.eos_token_ids[0]]))


def test_it_holds_texts_to_all_rules_or_to_the_grammar_alone() -> None:
    tokenizer = load_tokenizer("bytes")
    spec = compile(Constraints())
    assert follows(Matcher(spec, tokenizer), TEXT)
    assert not follows(Matcher(spec, tokenizer), DANGLING)
    assert follows(Matcher(spec, tokenizer, semantic=False), DANGLING)


@pytest.mark.parametrize(("dialect", "holds"), [("llguidance", False), ("llguidance-parametric", True)])
def test_a_lark_grammar_is_read_by_its_own_library(dialect: Dialect, holds: bool) -> None:
    pytest.importorskip("llguidance")
    tokenizer = load_tokenizer("bytes")
    spec = compile(Constraints(), dialect=dialect)
    assert follows(Matcher(spec, tokenizer), TEXT.replace("done", "n1"))
    dangling = DANGLING.replace("id: a", "id: n1").replace("plan/b", "plan/n2")
    assert follows(Matcher(spec, tokenizer), dangling) is not holds


@pytest.mark.parametrize("dialect", ["xgrammar", "llguidance"])
@pytest.mark.parametrize("semantic", [True, False])
def test_every_back_end_goes_back_forks_and_jumps(dialect: Dialect, semantic: bool) -> None:
    if dialect == "llguidance":
        pytest.importorskip("llguidance")
    tokenizer = load_tokenizer("bytes")
    matcher: Protocol = Matcher(compile(Constraints(max_nodes=1), dialect=dialect), tokenizer, semantic=semantic)
    assert matcher.jump_forward().startswith("### AgenticDSL `/dynamic/plan`")
    assert all(map(matcher.accept, b"###"))
    other = matcher.fork()
    assert other.accept(ord(" "))
    matcher.rollback(1)
    assert matcher.jump_forward().startswith("# AgenticDSL")
    assert other.jump_forward().startswith("AgenticDSL")
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    assert matcher.fill_bitmask(bitmask, 0)
    with pytest.raises(EngineError, match="row 1"):
        matcher.fill_bitmask(bitmask, 1)


def test_a_budget_is_kept_and_one_that_is_too_small_is_refused_with_the_number() -> None:
    tokenizer = load_tokenizer("bytes")
    spec = compile(Constraints())
    with pytest.raises(ConstraintError, match=r"max_output_tokens is 30, but the shortest answer takes \d+ tokens"):
        Matcher(spec, tokenizer, max_output_tokens=30)
    assert not follows(Matcher(spec, tokenizer, max_output_tokens=len(TEXT)), TEXT)
    for options in ({"semantic": False}, {"dialect": "llguidance"}):
        dialect: Dialect = "llguidance" if "dialect" in options else "xgrammar"
        bare = compile(Constraints(), dialect=dialect)
        with pytest.raises(ConstraintError, match="does not count tokens"):
            Matcher(bare, tokenizer, semantic="dialect" in options, max_output_tokens=500)


def test_a_spec_in_another_dialect_is_refused() -> None:
    with pytest.raises(ConstraintError, match="gbnf"):
        Matcher(compile(Constraints(), dialect="gbnf"), load_tokenizer("bytes"))


def test_a_matcher_explains_what_it_refuses() -> None:
    tokenizer = load_tokenizer("bytes")
    matcher = Matcher(compile(Constraints(allowed_node_types=("assign", "end"))), tokenizer)
    for byte in matcher.jump_forward().encode() + b"a\n    type: ":
        assert matcher.accept(byte)
    assert matcher.explain("assign\n") is None
    refused = matcher.explain("fork\n")
    assert refused is not None
    assert "assign" in refused.message
    token = matcher.explain(ord("f"))
    assert token is not None
    assert matcher.explain(ord("a")) is None


def test_a_grammar_alone_knows_no_reasons() -> None:
    matcher = Matcher(compile(Constraints()), load_tokenizer("bytes"), semantic=False)
    with pytest.raises(ConstraintError, match="knows no reasons"):
        matcher.explain("x")
