"""SGLang without our back end: the xgrammar that it pins reads our grammars as they are meant."""

from __future__ import annotations

import importlib.metadata
import random
import sys

import pytest

pytest.importorskip("sglang.srt.constrained.xgrammar_backend")

import xgrammar  # after the skip

from agentic_dsl import AgenticLLM, Constraints, ToolSpec
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.ir import CharClass, Grammar, chars
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.runtime.wire import with_contract

END = 256
BYTES = xgrammar.TokenizerInfo(
    [bytes([byte]) for byte in range(256)] + [b"</s>"], vocab_type=xgrammar.VocabType.RAW, stop_token_ids=[END]
)
SURROGATES = range(0xD800, 0xE000)
IN_TEXTS = chars('\x00-\x1f"\\\x7f-\x9f\ud800-\udfff\ufffe-\uffff', negated=True)
"""What stands in a text as it is."""


def matcher_of(text: str) -> xgrammar.GrammarMatcher:
    return xgrammar.GrammarMatcher(xgrammar.GrammarCompiler(BYTES, max_threads=1).compile_grammar(text))


def takes(matcher: xgrammar.GrammarMatcher, text: str) -> bool:
    try:
        return all(map(matcher.accept_token, text.encode())) and matcher.accept_token(END)
    finally:
        matcher.reset()


def differing(cls: CharClass, codes: set[int]) -> list[str]:
    """Which characters xgrammar takes for in the class and are not, or the other way round."""
    matcher = matcher_of(emit_xgrammar(Grammar((("root", cls),), "root")))
    return [f"U+{code:04X}" for code in sorted(codes) if takes(matcher, chr(code)) != (chr(code) in cls)]


def test_it_is_the_version_that_sglang_pins() -> None:
    pins = [pin for pin in importlib.metadata.requires("sglang") or [] if pin.startswith("xgrammar")]
    assert pins == [f"xgrammar=={importlib.metadata.version('xgrammar')}"]


def test_every_character_of_a_text_is_taken_and_no_other() -> None:
    assert differing(IN_TEXTS, set(range(sys.maxunicode + 1)) - set(SURROGATES)) == []


@pytest.mark.parametrize("seed", range(40))
def test_classes_of_any_ranges_take_their_characters(seed: int) -> None:
    draw = random.Random(seed)
    scale = draw.choice((0x100, 0x1000, 0xD800, 0x30000, sys.maxunicode))
    ends = [tuple(sorted(draw.randrange(0x20, scale) for _ in "ab")) for _ in range(draw.randint(1, 3))]
    cls = CharClass(tuple((chr(low), chr(high)) for low, high in ends), negated=draw.random() < 0.5)
    near = {code + step for pair in ends for code in pair for step in (-64, -1, 0, 1, 64)}
    codes = {
        code for code in near | {draw.randrange(sys.maxunicode) for _ in range(3_000)} if 0 < code <= sys.maxunicode
    }
    assert differing(cls, codes - set(SURROGATES)) == []


def test_generated_documents_are_taken_with_the_contract_before_the_grammar() -> None:
    tools = (
        ToolSpec(name="find", parameters={"properties": {"q": {"type": "string"}, "n": {"type": "integer"}}}),
        ToolSpec(name="book", parameters={"properties": {"when": {"enum": ["now", "später"]}}, "required": ["when"]}),
    )
    constraints = Constraints(max_nodes=6, min_nodes=3, tools=tools, max_text_chars=60, max_output_tokens=2_000)
    matcher = matcher_of(with_contract(compile(constraints)))
    llm = AgenticLLM("random", "bytes")
    for seed in range(8):
        answer = llm.generate_subgraph("a task", constraints=constraints, seed=seed)
        assert answer.valid
        assert takes(matcher, answer.text), answer.text
    assert not takes(matcher, "```yaml")
