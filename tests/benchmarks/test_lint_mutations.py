"""The mutation check of lint in short: two mutants of each rule, and a check that can fail."""

from __future__ import annotations

import pytest

from agentic_dsl import codes
from agentic_dsl.codes import ALL_CODES
from agentic_dsl.compiler.lint.fix import Edit
from agentic_dsl.compiler.lint.registry import BY_CODE, RULES
from agentic_dsl.compiler.lint.rule import Rule
from agentic_dsl.span import Source, Span
from benchmarks import lint_mutations
from benchmarks.mutations.corpus import clean_document
from benchmarks.mutations.scene import Mutation, Scene, line_number
from benchmarks.mutations.table import MUTATIONS, NOT_MUTATED
from benchmarks.mutations.trials import DOCUMENTS, noisy, trials


def test_every_rule_is_broken_by_a_mutation_or_has_a_reason_why_not() -> None:
    assert set(ALL_CODES) == MUTATIONS.keys() | NOT_MUTATED.keys()
    assert not MUTATIONS.keys() & NOT_MUTATED.keys()
    assert len(NOT_MUTATED) <= 3


def test_the_clean_documents_are_silent_and_differ() -> None:
    documents = [clean_document(number) for number in range(DOCUMENTS)]
    assert noisy(documents) == []
    assert len({document.document() for document in documents}) == DOCUMENTS
    assert clean_document(7) == clean_document(7)


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.bad.costly], ids=lambda rule: rule.code)
def test_a_mutation_of_a_clean_document_is_found_where_it_was_made(rule: Rule) -> None:
    for trial in trials(rule, MUTATIONS[rule.kind], 2):
        assert trial.caught
        assert trial.lines & trial.mutant.lines


def _harmless(scene: Scene) -> Mutation:
    return Mutation((Edit(Span(0, 0), "Read this first.\n\n"),))


def _elsewhere(scene: Scene) -> Mutation:
    broken = MUTATIONS[codes.DANGLING](scene)
    return Mutation(broken.edits, (Span(0, 0),))


def test_a_mutation_that_breaks_nothing_is_not_caught() -> None:
    [trial] = trials(BY_CODE["ADL301"], _harmless, 1)
    assert (trial.caught, trial.in_place) == (False, False)


def test_a_finding_on_another_line_is_caught_out_of_place() -> None:
    [trial] = trials(BY_CODE["ADL301"], _elsewhere, 1)
    assert (trial.caught, trial.in_place) == (True, False)


def test_the_check_fails_below_its_part(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint_mutations.main(["ADL301", "--count", "2"]) == 0
    monkeypatch.setattr(lint_mutations, "MUTATIONS", {**MUTATIONS, codes.DANGLING: _harmless})
    assert lint_mutations.main(["ADL301", "--count", "2"]) == 1
    assert "| ADL301 | dangling-reference | 0/2 | 0/2 |" in capsys.readouterr().out


def test_the_check_fails_where_clean_documents_are_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint_mutations, "clean_document", lambda _: BY_CODE["ADL301"].bad)
    assert lint_mutations.main(["ADL301", "--count", "1"]) == 1


def test_lines_are_counted_as_the_toolkit_counts_them() -> None:
    text = "a\r\nb\rc\n\nd"
    source = Source(text)
    places = [at for at in range(len(text)) if at != text.index("\n")]  # nothing begins within a line end
    assert [line_number(text, at) for at in places] == [source.position(at).line for at in places]
