"""Mixed answers: what each dialect takes for prose, and that nothing changes where none is allowed."""

from __future__ import annotations

from random import Random

import pytest

from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.prose import FIRST, PROSE_RULE, is_prose
from agentic_dsl.compiler.grammar.sample import sample
from agentic_dsl.compiler.pipeline import DIALECTS, Dialect, Level, compile
from agentic_dsl.constraints import Constraints
from tests.compiler.grammar.judging import block
from tests.compiler.grammar.test_report_truth import admits

pytestmark = pytest.mark.masks

MIXED = Constraints(allow_free_text=True, max_nodes=3)
BLOCK = block("  - id: n1\n    type: end\n")

ANSWERS = {
    "a sentence": ("Which city do you mean?", True),
    "one character": ("!", True),
    "a character of two bytes": ("é", True),
    "a character of four bytes": ("\U0001f600 ok", True),
    "what YAML forbids": ("a\x00b\x85c\ufffe\uffff", True),
    "the last code point": ("\U0010ffff", True),
    "several paragraphs": ("No plan.\n\n# Why\n\tbecause\n", True),
    "a block behind a sentence": (f"Here it is:\n\n{BLOCK}", True),
    "a block": (BLOCK, True),
    "a block and a sentence": (f"{BLOCK}Done.", False),
    "a heading": ("# No plan", False),
    "nothing": ("", False),
    "a blank first": (" Hello", False),
    "a newline first": ("\nHello", False),
    "a control character first": ("\x1bHello", False),
    "the last control character first": ("\x7fHello", False),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("text", "allowed"), ANSWERS.values(), ids=ANSWERS.keys())
def test_every_dialect_takes_the_same_answers(dialect: Dialect, text: str, allowed: bool) -> None:
    assert admits(compile(MIXED, dialect=dialect), text) is allowed
    if not text.startswith("#"):
        assert is_prose(text, MIXED) is allowed
        assert not is_prose(text, Constraints())
        assert not admits(compile(Constraints(max_nodes=3), dialect=dialect), text)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_random_sentences_of_the_grammar_are_taken_and_the_first_character_tells_which_they_are(
    dialect: Dialect,
) -> None:
    grammar, spec = lower(MIXED), compile(MIXED, dialect=dialect)
    kinds = set()
    for seed in range(40):
        text = sample(grammar, Random(seed))
        kinds.add(is_prose(text, MIXED))
        assert is_prose(text, MIXED) is not text.startswith("#")
        assert admits(spec, text) or dialect == "llguidance-parametric"  # which holds blocks to more than the grammar
    assert kinds == {True, False}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_the_field_the_grammar_has_no_such_rule(dialect: Dialect) -> None:
    plain, mixed = compile(Constraints(max_nodes=3), dialect=dialect), compile(MIXED, dialect=dialect)
    assert PROSE_RULE not in plain.grammar.lower()
    kept, changed = set(plain.grammar.splitlines()), mixed.grammar.splitlines()
    added = [line.lower() for line in changed if line not in kept]
    assert all(
        line.startswith(("root ::=", "start:", "    | prose", f"{PROSE_RULE} ::=", f"{PROSE_RULE}:")) for line in added
    )
    assert any(line.startswith(PROSE_RULE) for line in added)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_report_says_that_the_grammar_holds_it(dialect: Dialect) -> None:
    for constraints, word in ((MIXED, "chooses"), (Constraints(max_nodes=3), "never")):
        [entry] = [e for e in compile(constraints, dialect=dialect).report if e.constraint == "allow_free_text"]
        assert entry.level is Level.GRAMMAR
        assert word in entry.detail


def test_no_character_begins_both_prose_and_a_block() -> None:
    assert "#" not in FIRST
    assert [chr(code) for code in range(0x80) if chr(code) not in FIRST] == [*map(chr, range(0x21)), "#", "\x7f"]


def test_the_contract_tells_mixed_answers_from_others() -> None:
    assert MIXED.digest != Constraints(max_nodes=3).digest
    assert Constraints.model_validate_json(MIXED.canonical_json) == MIXED
