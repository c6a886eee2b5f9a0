"""A text of ``output_mapping`` that is the path of a result's field: looked up, and equal to the walk byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from agentic_dsl import Constraints, ToolSpec, compile
from agentic_dsl.compiler.pipeline import CompiledSpec
from agentic_dsl.runtime import models
from agentic_dsl.runtime.matcher.filling import Filling
from agentic_dsl.runtime.matcher.frames import Frame
from agentic_dsl.runtime.matcher.output_keys import ResultPath
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.tree_walk import Wrap
from agentic_dsl.runtime.matcher.vocabulary_trie import Node, trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

RETURNS = {
    "type": "object",
    "properties": {
        "price": {"type": "number"},
        "at": {"type": "object", "properties": {"b": {}}, "additionalProperties": False},
    },
    "additionalProperties": False,
}
MOST = 60
BEFORE = """### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: a
    type: tool_call
    tool: w
    output_mapping:
      x: \""""
TYPED = (
    "",
    "$",
    "$.pri",
    "price",
    "pric",
    "hello wor",
    "at.b",
    "x\\",
    "{",
    "é",
    "$.at[",
    "result.",
    "{{",
    "q" * (MOST - 1),
)


@pytest.fixture(scope="module")
def spec() -> CompiledSpec:
    tool = ToolSpec(name="w", parameters={"type": "object", "properties": {}}, returns=RETURNS)
    types = ("tool_call", "end")
    return compile(Constraints(max_nodes=3, tools=(tool,), allowed_node_types=types, max_text_chars=MOST))


@pytest.fixture(scope="module", params=["bytes", pytest.param("smollm2", marks=pytest.mark.model)])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    name: str = request.param
    return load_tokenizer(name if name == "bytes" else str(models.require_model(name)))


def _mask(spec: CompiledSpec, tokenizer: Tokenizer, overlay: Overlay, typed: str, budget: int | None) -> bytes:
    matcher = SemanticMatcher(spec, tokenizer, max_output_tokens=budget, overlay=overlay)
    assert all(matcher.accept(token) for token in tokenizer.encode(BEFORE + typed))
    row = np.zeros((1, (tokenizer.vocab_size + 31) // 32), np.int32)
    matcher.fill_bitmask(row, 0)
    return row.tobytes()


def _ids(mask: bytes) -> set[int]:
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")
    return set(map(int, bits.nonzero()[0]))


@pytest.mark.masks
@pytest.mark.parametrize("budget", [None, 420])
def test_the_tables_allow_what_the_walk_allows(
    spec: CompiledSpec, tokenizer: Tokenizer, budget: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trie = trie_of(tokenizer.vocabulary)
    looked_up = [_mask(spec, tokenizer, Overlay(trie), typed, budget) for typed in TYPED]
    by_table = Filling.walk_open

    def by_bytes(self: Filling, frame: Frame, node: Node, wrap: Wrap) -> bool:
        return not isinstance(frame, ResultPath) and by_table(self, frame, node, wrap)

    monkeypatch.setattr(Filling, "walk_open", by_bytes)
    walked = [_mask(spec, tokenizer, Overlay(trie), typed, budget) for typed in TYPED]
    for typed, one, other in zip(TYPED, looked_up, walked, strict=True):
        assert _ids(one) ^ _ids(other) == set(), typed


def test_a_path_closes_exactly_where_the_field_exists(spec: CompiledSpec) -> None:
    tokenizer = load_tokenizer("bytes")
    quote = ord('"')

    def closes(typed: str) -> bool:
        matcher = SemanticMatcher(spec, tokenizer)
        assert all(matcher.accept(token) for token in tokenizer.encode(BEFORE + typed))
        return matcher.accept(quote)

    for typed in (
        "price",
        "$.price",
        "result.price",
        " price ",
        "$.at.b",
        "not a path",
        "{{ $.x }}"[:0] + "$",
        "price?",
    ):
        assert closes(typed), typed
    for typed in ("", "pric", "$.pric", "at.c", "prices"):
        assert not closes(typed), typed
