"""How answers of a model are judged, kept and counted."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.errors import GenerationError
from agentic_dsl.format import format_subgraph
from agentic_dsl.node_table import End
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, FinishReason, OnToken, Stats
from benchmarks import real_model
from benchmarks.data import data_folder
from benchmarks.nestful_plans import Plan, constraints_of, to_subgraph
from benchmarks.plan_answers import CUT, NO_PLAN, Answer, append, first_block, judge, load, tables
from benchmarks.plan_scores import Counts, PlanScores, score
from benchmarks.plan_tasks import PlanTask, first_tasks
from benchmarks.real_model import MODES, answers_of, batches, measure

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (ToolSpec(name="find", parameters=CITY),)
GOLD = Plan("Find a hotel.", ({"name": "find", "label": "var1", "arguments": {"city": "Rome"}},), {})
SUBGRAPH = to_subgraph(GOLD, TOOLS)
TEXT = format_subgraph(SUBGRAPH)
CONSTRAINTS = constraints_of(GOLD, TOOLS)
INPUTS = {"model": "none", "seed": 0}


def verdict(text: str, finish: FinishReason = "stop", *, free: bool = True) -> str:
    return judge(EngineResult(text=text, finish=finish), CONSTRAINTS, free=free)[1]


@pytest.mark.parametrize("free", [False, True])
def test_a_plan_in_canonical_form_is_valid_in_every_mode(free: bool) -> None:
    assert judge(EngineResult(text=TEXT, finish="stop"), CONSTRAINTS, free=free) == (SUBGRAPH, "")


@pytest.mark.parametrize(
    "text",
    [
        f"Sure! Here is the plan:\n\n{TEXT}\nI hope this helps.",
        f"```markdown\n{TEXT}```\n",
        f"Here you are:\n\n  ````md\n{TEXT}````",
        TEXT.replace("# --- BEGIN AgenticDSL ---\n", "").replace("# --- END AgenticDSL ---\n", ""),
        TEXT.replace("```yaml", "```").replace('["var1"]', "var1").replace("### ", "# "),
        TEXT.replace('["/dynamic/plan/end"]', "end"),
        TEXT + "\n" + TEXT.replace("find", "search"),
    ],
    ids=["text around", "fence around", "indented fence", "no markers", "other spellings", "an id", "a second block"],
)
def test_free_answers_may_be_written_in_any_way_that_the_parser_accepts(text: str) -> None:
    assert verdict(text) == ""
    assert verdict(text, free=False) != "" or text == TEXT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT.replace("tool: find", "tool: search"), "ADL703 tool-not-allowed"),
        (TEXT.replace("plan/end", "plan/last"), "ADL301 dangling-reference"),
        ("There is no plan.", NO_PLAN),
        ("### AgenticDSL plan\n\nFind a hotel.", NO_PLAN),
        ("", NO_PLAN),
    ],
)
def test_free_answers_are_held_to_the_same_rules(text: str, reason: str) -> None:
    assert verdict(text) == reason


def test_an_answer_that_the_token_limit_cut_is_not_valid_but_scored_as_far_as_it_goes() -> None:
    text = TEXT[: TEXT.index("  - id: end")]
    for free in (False, True):
        plan, reason = judge(EngineResult(text=text, finish="length"), CONSTRAINTS, free=free)
        assert reason == CUT
        assert plan is not None
        assert [node.id for node in plan.nodes] == ["var1"]


def test_a_free_answer_may_be_cut_after_its_block() -> None:
    assert verdict(TEXT + "\nThis plan first", "length") == ""
    assert verdict(TEXT.rstrip("\n"), "length") == ""


def test_an_engine_that_gives_no_answer_is_said_to() -> None:
    failed = EngineResult.failed(GenerationError("the prompt is too long", help="shorten it"))
    assert judge(failed, CONSTRAINTS, free=False) == (None, "no answer: the prompt is too long")


def test_the_first_block_ends_with_its_fence() -> None:
    assert first_block(f"a\n{TEXT}\nb") == (TEXT.rstrip("\n"), True)
    assert first_block(f"a\n{TEXT[:60]}") == (TEXT[:60], False)
    assert first_block("# AgenticDSL is a language\n\nnothing") == ("", True)


# --- the file and its tables -----------------------------------------------------------------------------------------


def answer(
    task: str, mode: str = "free", reason: str = "", shared: int = 1, inputs: dict[str, object] = INPUTS
) -> Answer:
    counts = Counts(shared, 1, 1)
    return Answer(inputs, mode, task, TEXT, "stop", reason, PlanScores(counts, counts, counts), 10, 5, 4, 2.0)


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "answers.jsonl"
    append(path, [answer("a"), answer("b")])
    append(path, [answer("a", "grammar")])
    assert load([path]) == [answer("a"), answer("b"), answer("a", "grammar")]


def test_a_line_that_an_interruption_cut_is_skipped_and_the_last_of_equal_ones_counts(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    append(path, [answer("a", shared=0), answer("a"), answer("b")])
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    assert load([path, tmp_path / "absent.jsonl"]) == [answer("a")]
    append(path, [answer("c")])
    assert load([path]) == [answer("a"), answer("c")]


def test_the_table_counts_each_mode_by_itself() -> None:
    answers = [answer("a"), answer("b", reason=CUT), answer("a", "grammar", shared=0)]
    said, counted, reasons = tables(answers, {"grammar": "grammar alone", "free": "free text"})
    assert said == "model none · seed 0"
    assert counted.splitlines()[2:] == [
        "| grammar alone | 1 of 1 | 10 | 5.0 | 4 (40%) | 0.000 | 0.000 | 0.000 | 0.000 · 0.000 · 0.000 |",
        "| free text | 1 of 2 | 20 | 5.0 | 8 (40%) | 1.000 | 1.000 | 1.000 | 0.667 · 0.667 · 0.667 |",
    ]
    assert reasons.splitlines()[2:] == [f"| free text | {CUT} | 1 |"]


def test_answers_of_other_inputs_stand_in_another_table() -> None:
    other = answer("a", inputs={"model": "none", "seed": 1})
    texts = list(tables([answer("a"), other], {"free": "free text"}))
    assert [text for text in texts if not text.startswith("|")] == ["model none · seed 0", "model none · seed 1"]
    assert all("1 of 1" in text for text in texts if text.startswith("| mode | valid"))


def test_a_mode_without_any_answer_has_no_rates() -> None:
    failed = replace(answer("a", reason="no answer: the model failed"), tokens=0, forward_passes=0, seconds=0.0)
    assert "| 0 of 1 | 0 | — | 0 (—) |" in list(tables([failed], {"free": "free text"}))[1]


# --- the run ---------------------------------------------------------------------------------------------------------


class Recorded(BlockingEngine):
    """An engine that knows the answers, and which requests came with constraints."""

    name = "recorded"

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.constrained: list[bool] = []

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.constrained += [request.spec is not None for request in requests]
        assert all(request.max_output_tokens == 512 for request in requests)
        if on_token is not None:
            on_token(0, 1, "#")
        stats = Stats(tokens=3, forward_passes=2)
        return [EngineResult(text=text, finish="stop", stats=stats) for text in self.texts]


@pytest.mark.parametrize("mode", MODES)
def test_only_the_free_mode_goes_without_constraints(mode: str) -> None:
    limits = CONSTRAINTS.model_dump() | {"max_output_tokens": 512}
    task = PlanTask("made/0", GOLD.task, SUBGRAPH, Constraints(**limits))
    engine, counts = Recorded([TEXT]), []
    [got] = answers_of(engine, mode, [task], INPUTS, counts.append)
    assert engine.constrained == [not MODES[mode].free]
    assert counts == [1]
    assert (got.mode, got.task, got.reason, got.tokens, got.forward_passes) == (mode, "made/0", "", 3, 2)
    assert got.scores.argument == Counts(1, 1, 1)
    assert got.seconds > 0


def _tasks() -> list[PlanTask]:
    if data_folder("nestful") is None:
        pytest.skip("no folder nestful in the task data; set AGENTIC_DSL_DATA")
    return first_tasks()


@pytest.mark.data
def test_every_gold_plan_is_a_valid_answer_to_its_task() -> None:
    tasks = _tasks()
    assert len({task.name for task in tasks}) == 100
    for task in tasks:
        result = EngineResult(text=format_subgraph(task.gold), finish="stop")
        assert judge(result, task.constraints, free=False)[1] == "", task.name
        assert task.constraints.max_nodes == len(task.gold.nodes) + 2


@pytest.mark.data
def test_batches_hold_every_task_once_and_one_catalogue_but_where_it_ends() -> None:
    tasks = _tasks()
    found = list(batches(tasks, 8))
    assert sorted(task.name for batch in found for task in batch) == sorted(task.name for task in tasks)
    catalogues = [{task.name.split("/")[0] for task in batch} for batch in found]
    assert sum(len(names) > 1 for names in catalogues) <= 1


@pytest.mark.data
def test_an_interrupted_run_asks_only_for_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {task.text: format_subgraph(task.gold) for task in _tasks()}
    asked: list[str] = []

    class Gold(Recorded):
        def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
            tasks = [request.prompt.messages[-1].content.removeprefix("Task: ") for request in requests]
            asked.extend(tasks)
            failed = EngineResult.failed(GenerationError("out of memory"))
            # The first request ever fails: it is asked again by the next run.
            return [
                failed if len(asked) == len(tasks) and not number else EngineResult(text=texts[task], finish="stop")
                for number, task in enumerate(tasks)
            ]

    engine = Gold([])
    monkeypatch.setattr(real_model, "engine_of", lambda *_: engine)
    options = Namespace(
        modes=["grammar"], limit=3, batch=2, model="none", dtype="float32", results=tmp_path / "answers.jsonl"
    )
    assert [answer.reason for answer in measure(options)].count("") == 2
    assert len(asked) == 3
    assert [answer.reason for answer in measure(options)] == ["", "", ""]
    assert len(asked) == 4
    assert len(measure(options)) == 3
    assert len(asked) == 4


@pytest.mark.data
def test_a_plan_of_nothing_but_an_end_scores_what_the_docs_say() -> None:
    bare = [score(task.gold, replace(task.gold, nodes=(End(id="end"),))) for task in _tasks()]
    total = sum(bare, PlanScores())
    page = Path(real_model.__file__).parent.parent / "docs" / "real-model.md"
    assert f"node F1 {total.node.f1:.3f} (" in page.read_text(encoding="utf-8")
    assert (total.tool.f1, total.argument.f1) == (0, 0)
