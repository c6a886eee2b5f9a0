"""Branches of a fork as one batch: which nodes, in which order, with which contract, and the document afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agentic_dsl import AgenticLLM, check, parse
from agentic_dsl.ast import Document
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.errors import ConstraintError, GenerationError, UsageError
from agentic_dsl.format import format_document
from agentic_dsl.runtime.batching.branches import BranchTask, agenerate_branches, branch_batch, generate_branches
from agentic_dsl.runtime.engines.base import BlockingEngine, Capabilities, EngineRequest, EngineResult, OnToken
from agentic_dsl.signature import Data

TRIP = """\
A trip, planned in parallel.

### AgenticDSL `/__meta__`
```yaml
version: "1.0"
mode: dev
entry_point: /main/trip
execution_budget: {max_nodes: 40, max_subgraph_depth: 2}
```

### AgenticDSL `/main/trip`
```yaml
graph_type: subgraph
nodes:
  - {id: ask, type: assign, assign: {city: "Rome"}, next: split}
  - {id: split, type: fork, fork: {branches: [hotel, look, news]}}
  - {id: hotel, type: generate_subgraph, prompt_template: "Find a hotel in {{ $.city }} for {{ guests }}.",
     output_keys: [hotel], namespace_prefix: "/dynamic/stay", next: [meet]}
  - {id: look, type: tool_call, tool: weather, output_keys: [sky], next: plan}
  - {id: plan, type: generate_subgraph, prompt_template: "Plan {{ length(days) }} days under {{ sky.text }}.",
     output_keys: [plan, notes], next: [polish]}
  - {id: polish, type: generate_subgraph, prompt_template: "Polish {{ plan }}.", output_keys: [plan], next: [meet]}
  - {id: news, type: assign, assign: {seen: true}, next: meet}
  - {id: meet, type: join, join: {wait_for: [hotel, polish, news], merge_strategy: last_write_wins}, next: close}
  - {id: close, type: generate_subgraph, prompt_template: "Say goodbye.", output_keys: [bye], next: [done]}
  - {id: done, type: end}
```

Words after the last block.
"""
VALUES: dict[str, Data] = {"city": "Rome", "guests": 2, "days": ("Mon", "Tue"), "sky": {"text": "rain"}}


def document_of(text: str) -> Document:
    document = parse(text)
    assert not [finding for finding in check(document) if finding.is_error]
    return document


def block(body: str, path: str = "/main/x") -> str:
    return f"### AgenticDSL `{path}`\n```yaml\ngraph_type: subgraph\nnodes:\n{body}```\n"


def asking(name: str, then: str, **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f'  - {{id: {name}, type: generate_subgraph, prompt_template: "{name}", output_keys: [{name}_out], next: {then}{extra}}}\n'  # noqa: E501


TWO = block(
    "  - {id: go, type: fork, fork: {branches: [a, b]}}\n"
    + asking("a", "met")
    + asking("b", "step")
    + "  - {id: step, type: assign, assign: {z: 1}, next: met}\n"
    + "  - {id: met, type: join, join: {wait_for: [a, step]}, next: done}\n"
    + "  - {id: done, type: end}\n"
)


def by_id(document: Document, **options: object) -> dict[str, BranchTask]:
    return {task.id: task for task in branch_batch(document, **options).tasks}  # type: ignore[arg-type]


# Which nodes


def test_the_nodes_before_the_join_are_taken_but_for_those_behind_another_one() -> None:
    assert set(by_id(document_of(TRIP), context=VALUES)) == {"hotel", "plan"}


def test_a_fork_is_named_by_id_or_path_and_none_takes_every_fork() -> None:
    inner = block(
        "  - {id: go, type: fork, fork: {branches: [a, two]}}\n"
        + asking("a", "met")
        + "  - {id: two, type: fork, fork: {branches: [b, c]}}\n"
        + asking("b", "both")
        + asking("c", "both")
        + "  - {id: both, type: join, join: {wait_for: [b, c]}, next: d}\n"
        + asking("d", "met")
        + "  - {id: met, type: join, join: {wait_for: [a, d]}, next: done}\n"
        + "  - {id: done, type: end}\n"
    )
    document = document_of(inner)
    assert set(by_id(document, fork="go")) == {"a", "b", "c"}
    assert set(by_id(document, fork="/main/x/two")) == {"b", "c"}
    assert set(by_id(document)) == {"a", "b", "c"}


def test_a_node_behind_a_join_of_some_branches_belongs_to_its_fork() -> None:
    text = block(
        "  - {id: go, type: fork, fork: {branches: [p, q, r]}}\n"
        "  - {id: p, type: assign, assign: {x: 1}, next: some}\n"
        "  - {id: q, type: assign, assign: {y: 1}, next: some}\n"
        "  - {id: some, type: join, join: {wait_for: [p, q]}, next: late}\n"
        + asking("late", "all")
        + "  - {id: r, type: assign, assign: {z: 1}, next: all}\n"
        + "  - {id: all, type: join, join: {wait_for: [late, r]}, next: after}\n"
        + asking("after", "done")
        + "  - {id: done, type: end}\n"
    )
    assert set(by_id(document_of(text))) == {"late"}


def test_a_fork_of_one_branch_goes_as_far_as_its_join() -> None:
    text = block(
        "  - {id: go, type: fork, fork: {branches: [a]}}\n"
        + asking("a", "met")
        + "  - {id: met, type: join, join: {wait_for: [a]}, next: b}\n"
        + asking("b", "done")
        + "  - {id: done, type: end}\n"
    )
    assert set(by_id(parse(text))) == {"a"}


def test_a_document_without_forks_has_nothing_to_generate() -> None:
    text = block(asking("a", "done") + "  - {id: done, type: end}\n")
    assert branch_batch(document_of(text)).tasks == ()


# Order


def test_the_longest_way_to_an_end_comes_first() -> None:
    tasks = branch_batch(document_of(TWO), constraints=Constraints(max_nodes=5)).tasks
    # b, step, met, done: 5 + 3; a, met, done: 5 + 2.
    assert [(task.id, task.length, task.priority) for task in tasks] == [("b", 8, 0), ("a", 7, 1)]


def test_equal_ways_share_a_priority_and_keep_the_order_of_the_document() -> None:
    text = TWO.replace("next: step}", "next: met}").replace("wait_for: [a, step]", "wait_for: [a, b]")
    text = "\n".join(line for line in text.splitlines() if "id: step" not in line) + "\n"
    tasks = branch_batch(document_of(text)).tasks
    assert [(task.id, task.priority) for task in tasks] == [("a", 0), ("b", 0)]


def test_library_calls_and_ways_out_lengthen_a_way() -> None:
    text = block(
        "  - {id: go, type: fork, fork: {branches: [a, b]}}\n"
        + asking("a", "[/lib/human/approval@v1?request=ok, /end_soft]")
        + asking("b", "/end_soft")
    )
    lengths = {task.id: task.length for task in branch_batch(document_of(text), constraints=Constraints()).tasks}
    assert lengths == {"a": 21, "b": 20}


# Prompts


def test_prompts_are_filled_in_with_the_values_of_the_context() -> None:
    tasks = by_id(document_of(TRIP), context=VALUES)
    assert tasks["hotel"].prompt == "Find a hotel in Rome for 2."
    assert tasks["plan"].prompt == "Plan 2 days under rain."


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("guests", 'the prompt of node "hotel": the context has no value for "guests"'),
        ("sky", 'the prompt of node "plan": the context has no value for "sky"'),
    ],
)
def test_a_value_that_is_missing_is_named_with_its_node(missing: str, said: str) -> None:
    values = {name: value for name, value in VALUES.items() if name != missing}
    with pytest.raises(UsageError) as failure:
        branch_batch(document_of(TRIP), context=values)
    assert failure.value.message == said
    assert failure.value.help


# Contracts


def test_a_branch_has_the_contract_that_its_node_implies() -> None:
    tool = ToolSpec(name="search")
    tasks = by_id(
        document_of(TRIP),
        context=VALUES,
        constraints=Constraints(
            max_nodes=6,
            min_nodes=2,
            tools=(tool,),
            max_subgraph_depth=2,
            context=ContextSignature(available_vars={"guests": "integer"}, required_outputs=("bye",)),
        ),
    )
    hotel, plan = tasks["hotel"].constraints, tasks["plan"].constraints
    assert (hotel.path, plan.path) == ("/dynamic/stay/hotel", "/dynamic/plan")
    assert hotel.context is not None
    assert plan.context is not None
    assert hotel.context.required_outputs == ("hotel",)
    assert plan.context.required_outputs == ("plan", "notes")
    assert set(plan.context.available_vars) == {"city", "guests", "days", "sky"}
    assert hotel.context.available_vars["guests"] == "integer"
    assert "seen" not in hotel.context.available_vars
    assert (hotel.max_nodes, hotel.min_nodes, hotel.max_subgraph_depth) == (6, 2, 1)
    assert hotel.tools == (tool,)


def test_what_only_a_sibling_writes_is_not_available() -> None:
    values = {name: value for name, value in VALUES.items() if name != "sky"}
    text = TRIP.replace("under {{ sky.text }}", "")
    tasks = by_id(document_of(text), context=values)
    hotel, plan = tasks["hotel"].constraints.context, tasks["plan"].constraints.context
    assert hotel is not None
    assert plan is not None
    assert "sky" not in hotel.available_vars
    assert "sky" in plan.available_vars


def test_the_budget_of_the_document_is_shared_by_its_branches() -> None:
    document = document_of(TRIP.replace("max_nodes: 40", "max_nodes: 21"))
    tasks = branch_batch(document, context=VALUES, constraints=Constraints(max_nodes=20, min_nodes=8)).tasks
    assert [(task.constraints.min_nodes, task.constraints.max_nodes) for task in tasks] == [(5, 5), (5, 5)]
    with pytest.raises(ConstraintError, match="leaves 1 nodes for 2 branches"):
        branch_batch(document_of(TRIP.replace("max_nodes: 40", "max_nodes: 11")), context=VALUES)


def test_depth_shrinks_by_one_and_permissions_limit_it_further() -> None:
    document = document_of(TRIP)
    assert by_id(document, context=VALUES)["plan"].constraints.max_subgraph_depth == 1
    limited = TRIP.replace("namespace_prefix:", "permissions: [{generate_subgraph: {max_depth: 1}}], namespace_prefix:")
    tasks = by_id(document_of(limited), context=VALUES)
    assert tasks["hotel"].constraints.max_subgraph_depth == 0
    with pytest.raises(ConstraintError, match="max_subgraph_depth is 0"):
        branch_batch(document, context=VALUES, constraints=Constraints(max_subgraph_depth=0))


def test_a_branch_has_no_more_permissions_and_tools_than_its_node_or_block() -> None:
    text = TWO.replace("nodes:\n", 'permissions: ["tool: search", network]\nnodes:\n', 1)
    text = text.replace("output_keys: [b_out]", 'output_keys: [b_out], permissions: ["network"]')
    tools = (ToolSpec(name="search"), ToolSpec(name="delete"))
    granted = ("tool: search", "tool: delete", "network")
    tasks = by_id(document_of(text), constraints=Constraints(tools=tools, permissions=granted))
    a, b = tasks["a"].constraints, tasks["b"].constraints
    assert a.permissions == ("tool: search", "network")
    assert a.tools == tools[:1]
    assert b.permissions == ("network",)
    inherited = by_id(document_of(text), constraints=Constraints())
    assert inherited["a"].constraints.permissions == ("tool: search", "network")


def test_two_nodes_of_one_id_generate_into_different_paths() -> None:
    document = document_of(TWO + "\n" + TWO.replace("/main/x", "/main/y"))
    paths = {task.node: task.constraints.path for task in branch_batch(document).tasks}
    assert paths == {
        "/main/x/a": "/dynamic/a",
        "/main/x/b": "/dynamic/b",
        "/main/y/a": "/dynamic/main/y/a",
        "/main/y/b": "/dynamic/main/y/b",
    }
    with pytest.raises(UsageError, match='2 forks are called "go"'):
        branch_batch(document, fork="go")


def test_a_prefix_may_be_a_template_and_must_stay_where_generation_may_write() -> None:
    text = TWO.replace("output_keys: [a_out]", 'output_keys: [a_out], namespace_prefix: "/dynamic/{{ where }}/"')
    assert by_id(parse(text), context={"where": "here"})["a"].constraints.path == "/dynamic/here/a"
    with pytest.raises(ConstraintError, match="generation may not write"):
        branch_batch(parse(text.replace("/dynamic/{{ where }}/", "{{ where }}")), context={"where": "/main/x"})
    with pytest.raises(UsageError, match='the namespace_prefix of node "a": the context has no value'):
        branch_batch(parse(text))


def test_serving_hints_fork_each_branch_from_the_session_of_the_document() -> None:
    tasks = branch_batch(document_of(TWO), session="s", constraints=Constraints(max_nodes=4)).tasks
    hints = [task.hints for task in tasks]
    assert [(hint.session, hint.parent, hint.expected_tokens) for hint in hints] == [
        ("s/main/x/b", "s", 332),
        ("s/main/x/a", "s", 332),
    ]
    short = branch_batch(document_of(TWO), constraints=Constraints(max_output_tokens=100)).tasks[0].hints
    assert short.expected_tokens == 100
    assert short.parent == branch_batch(document_of(TWO)).tasks[1].hints.parent


# What cannot be used


def test_documents_that_cannot_be_used_are_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match='no fork "nowhere"'):
        branch_batch(document_of(TWO), fork="nowhere")
    with pytest.raises(UsageError, match="the document has errors"):
        branch_batch(parse(TWO.replace("nodes:", "nodes: [")))
    with pytest.raises(UsageError, match="a circle through node"):
        branch_batch(parse(TWO.replace("assign: {z: 1}, next: met", "assign: {z: 1}, next: b")))


# Generation


ANSWER = """\
### AgenticDSL `{path}`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
{nodes}# --- END AgenticDSL ---
```
"""


@dataclass
class Planner(BlockingEngine):
    """An engine that writes what a contract asks for: every required output, from what is available."""

    asked: list[EngineRequest] = field(default_factory=list)
    failing: str = ""
    cut: str = ""

    @property
    def name(self) -> str:
        return "planner"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.asked += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request: EngineRequest) -> EngineResult:
        assert request.spec is not None
        wanted = request.spec.constraints
        if wanted.path == self.failing:
            return EngineResult.failed(GenerationError("out of memory"))
        context = wanted.context
        assert context is not None
        source = "{{ " + next(iter(context.available_vars), "now") + " }}"
        values = "".join(f'      {name}: "{source}"\n' for name in context.required_outputs)
        nodes = f'  - id: make\n    type: assign\n    assign:\n{values}    next: ["{wanted.path}/end"]\n'
        nodes += "  - id: end\n    type: end\n"
        text = ANSWER.format(path=wanted.path, nodes=nodes)
        return EngineResult(text=text[:90] if wanted.path == self.cut else text, finish="stop")


def test_the_answers_of_one_batch_come_back_by_node_and_stand_beside_the_document() -> None:
    engine = Planner()
    document = document_of(TRIP)
    results = generate_branches(AgenticLLM(engine), document, context=VALUES, seed=7)
    assert list(results.generations) == ["/main/trip/plan", "/main/trip/hotel"]
    assert [request.priority for request in engine.asked] == [0, 15]  # what `polish` may generate
    assert [request.sampling.seed for request in engine.asked] == [7, 8]
    assert all(request.hints is not None and request.hints.parent for request in engine.asked)
    assert results["hotel"] is results.generations["/main/trip/hotel"] is results["/main/trip/hotel"]
    assert results.failed == ()
    merged = results.document
    assert [str(subgraph.path) for subgraph in merged.subgraphs] == [
        "/main/trip",
        "/dynamic/plan",
        "/dynamic/stay/hotel",
    ]
    generated = results["hotel"].subgraph
    assert generated is not None
    assert list(merged.subgraphs)[2].nodes == generated.nodes
    assert not [finding for finding in check(merged) if "/dynamic" in finding.message or finding.is_error]
    assert merged.source.text.startswith(TRIP.rstrip())
    assert format_document(parse(format_document(merged))) == format_document(merged)


def test_a_generated_block_that_reads_and_writes_one_name_stands_beside_its_document() -> None:
    text = TWO.replace("output_keys: [a_out]", "output_keys: [z]").replace("assign: {z: 1}", "assign: {y: 1}")
    results = generate_branches(AgenticLLM(Planner()), document_of(text), context={"z": 1})
    assert 'z: "{{ z }}"' in results["a"].text
    assert not [finding for finding in check(results.document) if finding.is_error]


def test_an_answer_that_failed_or_is_broken_spoils_no_other_and_is_not_attached() -> None:
    document = document_of(TRIP)
    results = generate_branches(AgenticLLM(Planner(failing="/dynamic/plan")), document, context=VALUES)
    assert results.failed == ("/main/trip/plan",)
    assert results["hotel"].valid
    assert isinstance(results["plan"].error, GenerationError)
    assert len(list(results.document.subgraphs)) == 2
    cut = generate_branches(AgenticLLM(Planner(cut="/dynamic/stay/hotel")), document, context=VALUES)
    assert cut.failed == ("/main/trip/hotel",)
    none = generate_branches(
        AgenticLLM(Planner(cut="/dynamic/stay/hotel", failing="/dynamic/plan")), document, context=VALUES
    )
    assert none.document is document
    with pytest.raises(KeyError):
        none["nobody"]


def test_a_document_that_a_program_changed_is_merged_as_it_is_now() -> None:
    written = document_of(TWO)
    changed = Document(blocks=written.blocks, epilogue="More words.", source=written.source)
    merged = generate_branches(AgenticLLM(Planner()), changed, context={"c": 1}).document
    assert "More words." in merged.source.text
    assert len(list(merged.subgraphs)) == 3


def test_coroutines_generate_the_same() -> None:
    document = document_of(TRIP)
    results = asyncio.run(agenerate_branches(AgenticLLM(Planner()), document, context=VALUES))
    assert results.document == generate_branches(AgenticLLM(Planner()), document, context=VALUES).document


def test_generating_again_into_a_merged_document_says_what_is_in_the_way() -> None:
    merged = generate_branches(AgenticLLM(Planner()), document_of(TWO), context={"c": 1}).document
    again = generate_branches(AgenticLLM(Planner()), merged, context={"c": 1}).document
    assert len(list(again.subgraphs)) == 5
    with pytest.raises(ConstraintError, match='has a block "/dynamic/a" already'):
        generate_branches(AgenticLLM(Planner()), again, context={"c": 1})
