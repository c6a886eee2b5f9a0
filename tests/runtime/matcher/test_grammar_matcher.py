"""The matcher of the grammar alone, at the borders of characters."""

from __future__ import annotations

import pytest

from agentic_dsl.runtime.masks import compile_masks
from agentic_dsl.runtime.matcher import GrammarMatcher
from agentic_dsl.runtime.tokenizer import load_tokenizer

pytestmark = pytest.mark.masks


def matcher(grammar: str) -> GrammarMatcher:
    return compile_masks(grammar, load_tokenizer("bytes")).matcher()


def test_forced_text_is_whole_characters_and_nothing_in_the_middle_of_one() -> None:
    text = "aé漢"
    at = matcher(f'root ::= "{text}" [xy]\n')
    for number, byte in enumerate(text.encode()):
        begun = text.encode()[:number].decode(errors="ignore")
        inside = len(begun.encode()) != number
        assert at.jump_forward() == ("" if inside else text[len(begun) :])
        assert at.accept(byte)
    assert at.jump_forward() == ""


def test_forced_text_ends_before_a_character_that_is_still_open() -> None:
    # Both ways begin with the same byte, which is forced and no character.
    at = matcher('root ::= "q" ("é" | "ë")\n')
    assert at.jump_forward() == "q"
    assert at.accept(ord("q"))
    assert at.jump_forward() == ""
