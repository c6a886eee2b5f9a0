"""Which skills a task gets: detection for each task, and the tools that its skills explain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.jobs import Task, changed
from agentic_dsl.skills.detector import DEFAULT_LIMIT, SkillDetector, SkillSource
from agentic_dsl.skills.registry import SkillRegistry
from agentic_dsl.skills.request import in_stable_order
from agentic_dsl.skills.skill import Skill


@dataclass(frozen=True)
class TaskSkills:
    """Chooses skills for tasks; see `SkillDetector.detect` for what the attributes mean.

    Attributes:
        detector: what chooses.
        explicit: skills that every task gets, in any case.
        token_budget: the most tokens of all skills of a task together.
        limit: the most skills that are chosen by rank.
    """

    detector: SkillDetector
    explicit: tuple[str, ...] = ()
    token_budget: int | None = None
    limit: int = DEFAULT_LIMIT

    @classmethod
    def of(cls, skills: TaskSkills | SkillSource | str | Path | Sequence[str | Path]) -> TaskSkills:
        """The skills of a registry, or of some folders, chosen by what tasks say.

        Raises:
            UsageError: there is no such folder.
        """
        if isinstance(skills, TaskSkills):
            return skills
        if isinstance(skills, str | Path):
            return cls(SkillDetector(SkillRegistry.load([skills])))
        if isinstance(skills, Sequence):
            return cls(SkillDetector(SkillRegistry.load(skills)))
        return cls(SkillDetector(skills))

    def equipped(self, tasks: Iterable[Task]) -> list[Task]:
        """The tasks with their skills. Tools that a skill brings are added to a task's own; its own go first.

        Raises:
            UsageError: an explicit skill does not exist, or does not fit the budget.
            ConstraintError: a skill's tools do not fit the task's constraints.
        """
        return [self.equipped_task(task) for task in tasks]

    def equipped_task(self, task: Task) -> Task:
        """One of them; a task that has its skills stays as it is."""
        if task.skills is not None:
            return task
        found = self.detector.detect(
            task.prompt, explicit=self.explicit, token_budget=self.token_budget, limit=self.limit
        )
        wanted = {name.removeprefix("$") for name in self.explicit}
        for one in found.dropped:
            if one.name in wanted:
                raise UsageError(
                    f'the skill "{one.name}" does not fit: {one.message}',
                    help="raise the token budget, or ask for fewer skills",
                )
        skills = tuple(in_stable_order(found.skills))
        return replace(task, skills=skills, constraints=contract_with(task.constraints, skills))


def contract_with(constraints: Constraints, skills: Sequence[Skill]) -> Constraints:
    """A contract with the tools that skills bring behind its own; of tools of one name the first is the one.

    A contract that allows any tool then allows those of the skills; one that allows none stays as it is.

    Equal sets of skills give equal contracts, in whatever order they come: tools stand before skills in a prompt, and
    another order of them would begin it anew.

    Raises:
        ConstraintError: the tools do not fit the contract.
    """
    if constraints.tools == ():  # it forbids tools, and no skill may widen it
        return constraints
    own = constraints.tools or ()
    tools = {tool.name: tool for tool in own}
    for skill in in_stable_order(skills):
        for tool in skill.tools:
            tools.setdefault(tool.name, tool)
    return changed(constraints, tools=tuple(tools.values())) if len(tools) > len(own) else constraints
