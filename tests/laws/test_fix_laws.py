"""`lint --fix` and `fmt` settle at once, keep prose and comments, and change no meaning but what their rule says."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl import codes
from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.registry import BY_CODE, RULES
from agentic_dsl.compiler.lint.rule import Example
from agentic_dsl.compiler.lint.selection import Selection
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document, normalise
from agentic_dsl.json_view import document_view
from benchmarks.mutations.corpus import clean_document
from benchmarks.mutations.scene import NoPlaceError, Scene
from benchmarks.mutations.table import MUTATIONS
from tests.strategies.generated import Case, generated_cases
from tests.strategies.nasty import nasty_texts
from tests.strategies.profile import law
from tests.strategies.spellings import Spelled, spelled_documents

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    str(path.relative_to(ROOT)): Example(path.read_bytes().decode())
    for folder in ("tests/fixtures", "examples", "agentic_dsl/lib")
    for path in sorted((ROOT / folder).rglob("*.md"))
}
EXAMPLES = {
    f"{rule.code}-{name}": example
    for rule in RULES
    for name, example in (("bad", rule.bad), ("good", rule.good))
    if not example.costly and len(example.document()) < 1_000_000 and "\udcff" not in example.document()
}
"""The examples of rules, but for those at the limits and the one that is no text."""
ALL = {**FILES, **EXAMPLES}

every_document = pytest.mark.parametrize("example", ALL.values(), ids=ALL.keys())


def _fixed(text: str, selection: Selection, *, unsafe: bool = True, library: tuple[str, ...] = ()) -> tuple[str, int]:
    beside = {f"library_{number}.md": other.encode() for number, other in enumerate(library)}
    linted, applied = Project({"x.md": text.encode(), **beside}, beside).fix("x.md", selection, unsafe=unsafe)
    return linted.source.text, applied


# --- what each fix may change -----------------------------------------------------------------------------------------

Erase = Callable[[str], str]
"""Makes two texts equal that differ in what a fix changes, and no others."""


def _as_it_is(text: str) -> str:
    return text


def _without_suppressions(text: str) -> str:
    """Comments for lint and the blank lines around them."""
    return (
        re.sub(r"(?:\s|\\n)+", " ", re.sub(r"<!--[ \t]*adl[ \t]*:.*?-->", "", text))
        .replace('" ', '"')
        .replace(' "', '"')
    )


MEANING: Mapping[str, Erase] = {
    "ADL120": _as_it_is,
    "ADL914": _as_it_is,
    "ADL913": lambda text: text.replace('"/end_soft"', '"/__system__/end_soft"'),
    "ADL831": lambda text: re.sub(r"\b\w+(?=\()|(?<=\| )\w+", "function", text),
    "ADL833": lambda text: re.sub(r"\{\{ (\w+) \}\}", r"{\1}", text),
    "ADL846": lambda text: re.sub(r"(?i)http://", "https://", text),
    "ADL991": _without_suppressions,
}
"""Fixable rule → what is the same before and after its fix; a document is compared as the text of its JSON view."""


def _only(code: str) -> Selection:
    """Every rule, but of the fixes those of one rule alone: whether a comment is unused depends on all rules."""
    return Selection(ignore=tuple(MEANING.keys() - {code}))


def _meaning(text: str, code: str) -> str:
    return MEANING[code](json.dumps(document_view(parse(text)), ensure_ascii=False))


def test_every_fixable_rule_says_what_its_fix_may_change() -> None:
    fixable = {rule.code for rule in RULES if rule.fixable} | {codes.UNUSED_SUPPRESSION.code}
    assert MEANING.keys() == fixable


@pytest.mark.parametrize("code", MEANING)
def test_a_fix_changes_what_its_rule_says_and_nothing_else(code: str) -> None:
    applied = 0
    for name, example in ALL.items():
        text = example.document()
        fixed, count = _fixed(text, _only(code), library=example.library)
        applied += count
        assert (fixed == text) is (count == 0), name
        assert fixed == text or _meaning(fixed, code) == _meaning(text, code), name
    assert applied, "the law says nothing where nothing was fixed"


@pytest.mark.parametrize("code", MEANING)
def test_a_fix_of_a_mutated_document_changes_what_its_rule_says(code: str) -> None:
    fixed = 0
    for text in _mutants(code):
        after, count = _fixed(text, _only(code))
        assert _meaning(after, code) == _meaning(text, code)
        assert _fixed(after, _only(code)) == (after, 0)
        fixed += count > 0
    assert fixed >= 5


def _mutants(code: str, count: int = 12) -> Iterator[str]:
    """Clean documents in which one rule is broken."""
    number = made = 0
    while made < count:
        scene = Scene(clean_document(number), Random(number))
        number += 1
        try:
            mutant = scene.mutant(MUTATIONS[BY_CODE[code].kind](scene))
        except NoPlaceError:
            continue
        made += 1
        yield mutant.example.document()


_ASK = (
    "### AgenticDSL `/main/p`\n```yaml\n{}\nprompt_template: x\noutput_keys: [y]\nnext: [/__system__/end_soft]\n```\n"
)


@pytest.mark.parametrize(
    "type_", ["type: |-\n  llm_call", "type: >-\n  llm_call\n", "? type\n: llm_call", "type: &t llm_call"]
)
def test_a_type_in_an_odd_form_is_mended_whole_or_not_at_all(type_: str) -> None:
    text = _ASK.replace("{}", type_)
    fixed, applied = _fixed(text, Selection(("ADL120",)))
    assert normalise(parse(fixed)) == normalise(parse(text))
    assert fixed == text if "&t" not in type_ else applied == 1


# --- fixes settle, and keep what is not theirs ------------------------------------------------------------------------


@pytest.mark.parametrize("unsafe", [False, True])
@every_document
def test_fixing_twice_is_fixing_once(example: Example, unsafe: bool) -> None:
    once, _ = _fixed(example.document(), Selection(), unsafe=unsafe, library=example.library)
    assert _fixed(once, Selection(), unsafe=unsafe, library=example.library) == (once, 0)


@every_document
def test_fixes_keep_prose_and_comments_byte_for_byte(example: Example) -> None:
    text = example.document()
    fixed, _ = _fixed(text, Selection(ignore=("ADL991",)), library=example.library)
    _assert_kept(text, fixed)


def _assert_kept(text: str, fixed: str) -> None:
    before, after = parse(text), parse(fixed)
    assert _outside(after) == _outside(before)
    assert _comments(after) == _comments(before)
    assert fixed.count("\r") - text.count("\r") in (0, fixed.count("\n") - text.count("\n"))


def _outside(document: Document) -> list[str]:
    """The text around the blocks."""
    text, at, parts = document.source.text, 0, []
    for block in document.blocks:
        parts.append(text[at : block.span.start])
        at = block.span.end
    return [*parts, text[at:]]


def _comments(document: Document) -> Counter[str]:
    """Every YAML comment of a document, and how often it is there."""
    found: Counter[str] = Counter()
    for block in document.blocks:
        owners: list[Any] = [block, *(block.nodes if isinstance(block, Subgraph) else ())]
        found.update(comment for owner in owners for lines in owner.comments.values() for comment in lines)
    return found


@law(60)
@given(spelled_documents(), st.booleans())
def test_any_spelling_is_fixed_once_and_keeps_its_meaning(spelled: Spelled, unsafe: bool) -> None:
    spellings = Selection(("ADL120", "ADL914"))
    fixed, _ = _fixed(spelled.text, spellings)
    assert normalise(parse(fixed)) == normalise(parse(spelled.text))
    everything, _ = _fixed(spelled.text, Selection(), unsafe=unsafe)
    assert _fixed(everything, Selection(), unsafe=unsafe) == (everything, 0)
    _assert_kept(spelled.text, fixed)


@law(60)
@given(nasty_texts())
def test_any_text_is_fixed_once_and_can_be_read_as_well_as_before(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return  # no file holds it
    fixed, _ = _fixed(text, Selection(), unsafe=True)
    assert _fixed(fixed, Selection(), unsafe=True) == (fixed, 0)
    assert parse(fixed).has_errors <= parse(text).has_errors


@law(60)
@given(generated_cases())
def test_a_generated_answer_is_left_as_it_is_by_fmt_and_by_fixes_of_spelling(case: Case) -> None:
    text = format_document(Document(blocks=(case.subgraph,)))
    assert format_document(parse(text)) == text
    assert _fixed(text, Selection(("ADL120", "ADL914"))) == (text, 0)
    once, _ = _fixed(text, Selection())
    assert _fixed(once, Selection()) == (once, 0)


# --- fmt --------------------------------------------------------------------------------------------------------------


@every_document
def test_formatting_settles_at_once_and_keeps_meaning_prose_and_comments(example: Example) -> None:
    document = parse(example.document())
    printed = format_document(document)
    again = parse(printed)
    assert format_document(again) == printed
    if not document.has_errors:
        assert again == normalise(document)
        assert document_view(again) == document_view(document)
        assert [(block.prose, block.path) for block in again.blocks] == [
            (block.prose, block.path) for block in normalise(document).blocks
        ]
        assert _comments(again) == _comments(document)


@law(60)
@given(spelled_documents())
def test_formatting_any_spelling_keeps_its_comments(spelled: Spelled) -> None:
    document = parse(spelled.text)
    assert _comments(parse(format_document(document))) == _comments(document)


@law(40)
@given(spelled_documents())
def test_fixing_and_formatting_commute(spelled: Spelled) -> None:
    spellings = Selection(("ADL120", "ADL914"))
    fixed, _ = _fixed(spelled.text, spellings)
    assert format_document(parse(fixed)) == format_document(parse(spelled.text))
