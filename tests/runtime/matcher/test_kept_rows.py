"""Rows that a matcher keeps along a text are those that one makes which has kept nothing."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from agentic_dsl import Constraints, ToolSpec
from agentic_dsl.constraints import ContextSignature
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Vocabulary

TEXT = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: first_step
    type: tool_call
    tool: look_up
    arguments:
      query: "some words {{ $.name }} and { more {{ $.name }} until the end"
      note: "a"
    output_keys: ["found_it"]
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


@cache
def _tokenizer() -> Tokenizer:
    """All bytes, and pieces of the text, which cross every border of it."""
    text = TEXT.encode()
    pieces = {text[at : at + size] for at in range(len(text)) for size in (2, 3, 5, 8)}
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(piece for piece in pieces if len(piece) > 1), None]
    vocabulary = Vocabulary(tuple(tokens), {len(tokens) - 1: "<end>"}, (len(tokens) - 1,))
    return Tokenizer("pieces", vocabulary, load_tokenizer("bytes").codec)


def _mask(matcher: SemanticMatcher) -> np.ndarray:
    bitmask = allocate_bitmask(1, _tokenizer().vocab_size)
    matcher.fill_bitmask(bitmask, 0)
    return bitmask


@pytest.mark.parametrize("budget", [None, 900, 600])
@pytest.mark.parametrize(("least", "most"), [(0, 400), (3, 200), (40, 300), (62, 62)])
@pytest.mark.parametrize("size", [1, 3])
def test_masks_along_a_text_are_those_of_a_matcher_that_was_asked_for_none_before(
    least: int, most: int, budget: int | None, size: int
) -> None:
    bounded = {"type": "string", "minLength": least, "maxLength": most}
    schema = {"properties": {"query": bounded, "note": {"type": "string"}}, "required": ["query"]}
    plan = Plan.of(
        Constraints(
            tools=(ToolSpec(name="look_up", parameters={"type": "object", **schema}),),
            context=ContextSignature(available_vars={"name": "string"}),
            allowed_node_types=("tool_call", "end"),
            max_nodes=3,
        )
    )
    tokenizer = _tokenizer()
    overlay = Overlay(trie_of(tokenizer.vocabulary))
    number = {token: at for at, token in enumerate(tokenizer.vocabulary.tokens) if token}
    asked = SemanticMatcher(plan, tokenizer, overlay=overlay, max_output_tokens=budget)
    silent = SemanticMatcher(plan, tokenizer, overlay=overlay, max_output_tokens=budget)
    text = TEXT.encode()
    for at in range(0, len(text), size):
        assert np.array_equal(_mask(asked), _mask(silent.fork())), text[:at].decode()
        token = number[text[at : at + size]]
        assert asked.accept(token)
        assert silent.accept(token)
