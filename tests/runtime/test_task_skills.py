"""Skills in generation: which tasks get which, what their tools change, and that equal skills are equal prompts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.errors import ConstraintError, UsageError
from agentic_dsl.runtime.engines.base import BlockingEngine, EngineRequest, EngineResult, OnToken, Sampling, Stats
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.jobs import Jobs, Task
from agentic_dsl.runtime.subgraph_cache.memory import MemorySubgraphCache
from agentic_dsl.runtime.task_skills import TaskSkills, contract_with
from agentic_dsl.skills.detector import SkillDetector
from agentic_dsl.skills.registry import SkillRegistry

BREAD = "How do I bake sourdough bread with yeast in an oven?"
TYRE = "Mend the puncture of a bicycle tyre."
NEITHER = "What is the capital of Australia?"

WEIGH = {"name": "weigh", "description": "Weighs something."}
HEAT = {"name": "heat", "description": "Heats an oven."}
PUMP = {"name": "pump", "description": "Pumps air."}

ANSWER = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: blow
    type: tool_call
    tool: {tool}
    output_keys: ["air"]
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
# --- END AgenticDSL ---
```
"""


def write(root: Path, name: str, description: str, *, requires: str = "", tools: Sequence[object] = ()) -> None:
    lines = [f"  requires: {requires}"] if requires else []
    lines += ["  tools: assets/tools.json"] if tools else []
    front = "\n".join([f"name: {name}", f"description: {description}", *(["metadata:", *lines] if lines else [])])
    (root / name / "assets").mkdir(parents=True)
    (root / name / "SKILL.md").write_text(f"---\n{front}\n---\n# {name}\n\nDo it with care.\n", encoding="utf-8")
    if tools:
        (root / name / "assets" / "tools.json").write_text(json.dumps(tools), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "skills"
    write(root, "zero-kitchen", "How to weigh flour and clean.", tools=[WEIGH])
    write(
        root,
        "baking-bread",
        "How to bake sourdough bread with yeast. Use for dough, loaves, ovens.",
        requires="zero-kitchen",
        tools=[HEAT],
    )
    write(root, "mending-tyres", "How to mend a flat bicycle tyre. Use for a puncture, patches, pumps.", tools=[PUMP])
    return root


@dataclass
class Scripted(BlockingEngine):
    """An engine that always gives one answer, and remembers what it was asked."""

    answer: str
    asked: list[EngineRequest] = field(default_factory=list)
    name: str = "scripted"

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        self.asked += requests
        if on_token is not None:
            for row in range(len(requests)):
                on_token(row, 3, self.answer)
        return [EngineResult(text=self.answer, token_ids=(1,), finish="stop", stats=Stats(tokens=1)) for _ in requests]


def names(task: Task) -> list[str]:
    return [skill.name for skill in task.skills or ()]


def tools(constraints: Constraints) -> list[str] | None:
    return None if constraints.tools is None else [tool.name for tool in constraints.tools]


# Which tasks get which


def test_each_task_gets_what_it_asks_for_with_what_that_requires(root: Path) -> None:
    tasks = TaskSkills.of(root).equipped([Task(text, Constraints()) for text in (BREAD, TYRE, NEITHER)])
    assert [names(task) for task in tasks] == [["zero-kitchen", "baking-bread"], ["mending-tyres"], []]
    assert [tools(task.constraints) for task in tasks] == [["weigh", "heat"], ["pump"], None]


def test_explicit_skills_are_there_in_any_case(root: Path) -> None:
    chooser = replace(TaskSkills.of(root), explicit=("mending-tyres",))
    bread, neither = chooser.equipped([Task(BREAD, Constraints()), Task(NEITHER, Constraints())])
    assert names(bread) == ["mending-tyres", "zero-kitchen", "baking-bread"]
    assert names(neither) == ["mending-tyres"]


def test_an_unknown_explicit_skill_is_a_wrong_use(root: Path) -> None:
    chooser = replace(TaskSkills.of(root), explicit=("mending-tires",))
    with pytest.raises(UsageError, match='there is no skill "mending-tires"') as caught:
        chooser.equipped([Task(BREAD, Constraints())])
    assert "mending-tyres" in (caught.value.help or "")


@pytest.mark.parametrize("name", ["mending-tyres", "$mending-tyres"])
def test_an_explicit_skill_that_does_not_fit_is_refused_and_not_left_out(root: Path, name: str) -> None:
    chooser = replace(TaskSkills.of(root), explicit=(name,), token_budget=1)
    with pytest.raises(UsageError, match=r'the skill "mending-tyres" does not fit: it takes \d+ tokens, and 1 '):
        chooser.equipped([Task(NEITHER, Constraints())])
    [task] = replace(chooser, explicit=()).equipped([Task(TYRE, Constraints())])
    assert names(task) == [], "a skill that is only fitting is left out instead"


def test_a_task_whose_skills_somebody_has_chosen_keeps_them(root: Path) -> None:
    registry = SkillRegistry.load([root])
    own = Task(BREAD, Constraints(), skills=registry.closure(["mending-tyres"]))
    none = Task(BREAD, Constraints(), skills=())
    assert TaskSkills.of(registry).equipped([own, none]) == [own, none]


def test_skills_can_be_given_as_a_folder_several_a_registry_or_a_chooser(root: Path) -> None:
    registry = SkillRegistry.load([root])
    chooser = TaskSkills(SkillDetector(registry))
    for given in (root, str(root), [root], registry, chooser):
        [task] = TaskSkills.of(given).equipped([Task(TYRE, Constraints())])
        assert names(task) == ["mending-tyres"]
    assert TaskSkills.of(chooser) is chooser
    with pytest.raises(UsageError):
        TaskSkills.of(root / "nowhere")


# Tools


def test_tools_of_skills_come_behind_a_tasks_own_which_keep_their_names(root: Path) -> None:
    own = (ToolSpec(name="zap"), ToolSpec(name="pump", description="Another pump."))
    [task] = TaskSkills.of(root).equipped([Task(f"{TYRE} {BREAD}", Constraints(tools=own))])
    assert tools(task.constraints) == ["zap", "pump", "weigh", "heat"]
    assert task.constraints.tools is not None
    assert task.constraints.tools[:2] == own


def test_a_contract_is_the_same_in_whatever_order_skills_come(root: Path) -> None:
    skills = SkillRegistry.load([root]).skills
    contracts = {contract_with(Constraints(), order).digest for order in (skills, skills[::-1])}
    assert len(contracts) == 1
    assert contract_with(SMALL := Constraints(max_nodes=2), ()) is SMALL


def test_of_two_skills_tools_of_one_name_the_first_in_order_is_the_one(tmp_path: Path) -> None:
    write(tmp_path, "b-second", "B.", tools=[{"name": "same", "description": "The second."}])
    write(tmp_path, "a-first", "A.", tools=[{"name": "same", "description": "The first."}])
    skills = SkillRegistry.load([tmp_path]).skills
    for order in (skills, skills[::-1]):
        found = contract_with(Constraints(), order).tools
        assert found is not None
        assert [tool.description for tool in found] == ["The first."]


def test_too_many_tools_are_a_contract_that_cannot_be(root: Path) -> None:
    own = tuple(ToolSpec(name=f"t{number}") for number in range(10_000))
    with pytest.raises(ConstraintError, match="10,001 tools"):
        TaskSkills.of(root).equipped([Task(TYRE, Constraints(tools=own))])


def test_an_answer_may_call_the_tools_of_its_skills_and_no_others(root: Path) -> None:
    for tool, valid in (("pump", True), ("weigh", False)):
        llm = AgenticLLM(Scripted(ANSWER.format(tool=tool)), skills=root)
        generation = llm.generate_subgraph(TYRE)
        assert generation.valid is valid, generation.diagnostics
        assert generation.skills == ("mending-tyres",)


@pytest.mark.masks
def test_the_mask_holds_answers_to_the_tools_of_their_skills(root: Path) -> None:
    pytest.importorskip("xgrammar")
    llm = AgenticLLM(RandomEngine("bytes", closing_boost=5.0), skills=root)
    wanted = Constraints(max_nodes=3, allowed_node_types=("tool_call", "end"), max_text_chars=10, min_nodes=2)
    called = set()
    for seed in range(3):
        generation = llm.generate_subgraph(TYRE, constraints=wanted, sampling=Sampling(temperature=0.7, seed=seed))
        assert generation.valid, generation.diagnostics
        assert generation.subgraph is not None
        called |= {getattr(node, "tool", None) for node in generation.subgraph.nodes}
    assert called - {None} == {"pump"}


# Prompts


def test_the_same_skills_are_the_same_prompt_but_for_the_question(root: Path) -> None:
    # Found in the other order: the first names tyres first, the second is about bread first.
    tasks = [f"$mending-tyres and then $baking-bread: {TYRE}", f"$baking-bread and then $mending-tyres: {BREAD}"]
    jobs = Jobs.of(TaskSkills.of(root).equipped([Task(text, Constraints()) for text in tasks])).jobs
    first, second = (job.request.prompt.messages for job in jobs)
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]
    assert jobs[0].spec is jobs[1].spec
    assert jobs[0].task.skills == jobs[1].task.skills


def test_batches_and_streams_get_skills_too(root: Path) -> None:
    engine = Scripted(ANSWER.format(tool="pump"))
    llm = AgenticLLM(engine, skills=root)
    done = llm.batch_generate_subgraphs([TYRE, NEITHER, BREAD])
    assert [one.skills for one in done] == [("mending-tyres",), (), ("zero-kitchen", "baking-bread")]
    assert [one.valid for one in done] == [True, True, False], "without tools in the contract any may be called"
    assert ["Do it with care." in request.prompt.messages[0].content for request in engine.asked] == [True, False, True]
    with llm.stream_subgraph(TYRE) as stream:
        assert [node.id for node in stream] == ["blow", "done"]
    assert stream.generation.skills == ("mending-tyres",)
    assert engine.asked[-1].prompt == engine.asked[0].prompt


def test_a_stream_proves_nodes_with_the_tools_of_the_skills(root: Path) -> None:
    llm = AgenticLLM(Scripted(ANSWER.format(tool="weigh")), skills=root)
    with llm.stream_subgraph(TYRE) as stream:
        assert list(stream) == []
    assert not stream.generation.valid


# The cache of answers


def test_answers_are_kept_apart_by_the_skills_that_they_were_written_with(root: Path) -> None:
    engine, cache = Scripted(ANSWER.format(tool="pump")), MemorySubgraphCache()
    # The tool is in each contract, so that only the skill makes the difference.
    wanted = Constraints(tools=(ToolSpec(name="pump", description="Pumps air."),))

    def ask(skills: Path | TaskSkills | None) -> bool:
        llm = AgenticLLM(engine, subgraph_cache=cache, skills=skills)
        return llm.generate_subgraph(TYRE, constraints=wanted).cached

    assert [ask(None), ask(None)] == [False, True]
    assert [ask(root), ask(root)] == [False, True]
    # In another order, from another reading of the folder.
    assert ask(TaskSkills(SkillDetector(SkillRegistry.load([root])), explicit=("mending-tyres",)))
    path = root / "mending-tyres" / "SKILL.md"
    path.write_text(path.read_text().replace("with care", "at once"))
    assert not ask(root)
    assert len(engine.asked) == 3
