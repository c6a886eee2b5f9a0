"""Answers back to subgraphs: whole ones, wrong ones, cut ones, and what is no answer at all."""

from __future__ import annotations

import pytest

from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.runtime.reparse import Reparsed, reparse

GOOD = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: ask
    type: dsl_call
    prompt_template: "Say hello."
    llm_tool_name: llama-default
    output_keys: ["reply"]
    next: ["/dynamic/plan/keep"]
  - id: keep
    type: assign
    assign:
      answer: "{{ reply }}"
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


def codes(answer: Reparsed) -> list[str]:
    return [finding.code for finding in answer.diagnostics if finding.is_error]


def ids(answer: Reparsed) -> list[str]:
    return [node.id for node in answer.subgraph.nodes] if answer.subgraph else []


def test_a_valid_answer_is_its_subgraph_and_nothing_is_wrong() -> None:
    answer = reparse(GOOD, Constraints())
    assert answer.valid
    assert answer.diagnostics == ()
    assert ids(answer) == ["ask", "keep", "done"]
    assert answer.document.source.text == GOOD


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("/dynamic/plan/done", "/dynamic/plan/gone", "ADL301"),
        ("{{ reply }}", "{{ other }}", "ADL603"),
        ("id: done", "id: keep", "ADL201"),
        ("/dynamic/plan`", "/dynamic/other`", "ADL701"),
    ],
)
def test_what_a_grammar_cannot_guarantee_is_found_and_placed(old: str, new: str, code: str) -> None:
    answer = reparse(GOOD.replace(old, new), Constraints(context=ContextSignature()))
    assert not answer.valid
    assert code in codes(answer)
    assert answer.subgraph is not None, "what can be read is handed back all the same"
    finding = next(finding for finding in answer.diagnostics if finding.code == code)
    assert 0 < finding.span.start < finding.span.end <= len(answer.document.source.text)


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here is the plan:\n\n" + GOOD,
        GOOD + "\nI hope this helps.\n",
        GOOD.replace('next: ["/dynamic/plan/done"]', "next: done"),
        GOOD.replace("  - id", "    - id", 1).replace("    type: dsl", "      type: dsl"),
    ],
)
def test_an_engine_that_ignores_the_grammar_is_noticed(text: str) -> None:
    answer = reparse(text, Constraints())
    assert not answer.valid
    assert answer.diagnostics


def test_the_first_difference_from_the_layout_is_pointed_at() -> None:
    text = GOOD.replace('"{{ reply }}"', "'{{ reply }}'")
    answer = reparse(text, Constraints())
    assert codes(answer) == ["ADL710"]
    span = answer.diagnostics[0].span
    assert text[span.start : span.end] == "'{{ reply }}'"


@pytest.mark.parametrize("text", ["", "\n", "I cannot do that.", "{}", "```yaml\n```\n", "\x00\ud800"])
def test_an_answer_without_a_block_is_invalid(text: str) -> None:
    answer = reparse(text, Constraints())
    assert not answer.valid
    assert answer.subgraph is None
    assert codes(answer)


@pytest.mark.parametrize("at", range(0, len(GOOD) + 1, 7))
def test_a_cut_answer_says_so_and_keeps_what_can_be_read(at: int) -> None:
    answer = reparse(GOOD[:at], Constraints(), complete=False)
    assert not answer.valid
    assert codes(answer) == ["ADL711"]
    assert answer.diagnostics[0].span.start == at
    assert answer.diagnostics[0].help
    known = ["ask", "keep", "done"]
    assert ids(answer) == known[: len(ids(answer))]


def test_whole_nodes_of_a_cut_answer_are_there() -> None:
    cut = GOOD[: GOOD.index("  - id: done")]
    answer = reparse(cut, Constraints(), complete=False)
    assert ids(answer) == ["ask", "keep"]
    assert answer.subgraph is not None
    assert answer.subgraph.nodes[1].writes == ("answer",)
