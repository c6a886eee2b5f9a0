"""From the tasks of one call to requests for an engine, and from its results back to generations, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agentic_dsl.compiler.pipeline import CompiledSpec, compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import GREEDY, EngineRequest, EngineResult, OnToken, Sampling, ServingHints
from agentic_dsl.runtime.prompt import build_prompt
from agentic_dsl.skills.skill import Skill

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library

_BLOCK_TOKENS = 128
_NODE_TOKENS = 64
_CHARS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Task:
    """One answer that is wanted.

    Attributes:
        prompt: what the subgraph must do, in words.
        constraints: its contract, before the changes.
        changes: fields of the contract that are replaced, see `changed`.
        sampling: how its tokens are chosen.
        priority: see `EngineRequest.priority`.
        hints: see `ServingHints`.
        skills: what the model should know for it; None where nobody has chosen yet.
    """

    prompt: str
    constraints: Constraints
    changes: Mapping[str, Any] = field(default_factory=dict)
    sampling: Sampling = GREEDY
    priority: int = 0
    hints: ServingHints | None = None
    skills: tuple[Skill, ...] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A task that an engine can be asked.

    Attributes:
        number: of the task in its call.
        task: what is wanted.
        spec: its constraints, compiled.
        request: what the engine is asked.
    """

    number: int
    task: Task
    spec: CompiledSpec
    request: EngineRequest


@dataclass(frozen=True, slots=True)
class Jobs:
    """The tasks of one call; those that cannot be asked have their outcome already.

    Attributes:
        jobs: what an engine is asked, in order.
        failed: number of a task → why it cannot be asked.
        library: entries that answers may name beside those of their constraints.
    """

    jobs: tuple[Job, ...]
    failed: Mapping[int, Generation]
    library: Library | None = None

    @classmethod
    def of(
        cls, tasks: Sequence[Task], library: Library | None = None, equip: Callable[[Task], Task] | None = None
    ) -> Jobs:
        """Compiles every contract, each different one once.

        Args:
            tasks: in the order of the call.
            library: see the attribute.
            equip: gives a task its skills; what it raises is that task's outcome.
        """
        jobs: list[Job] = []
        failed: dict[int, Generation] = {}
        specs: dict[str, CompiledSpec] = {}
        for number, given in enumerate(tasks):
            try:
                task = given if equip is None else equip(given)
                wanted = changed(task.constraints, **task.changes)
                spec = specs.get(wanted.digest) or specs.setdefault(wanted.digest, compile(wanted))
                request = engine_request(task.prompt, spec, task.sampling, task.skills or ())
            except AgenticDSLError as exc:
                failed[number] = Generation.failed(exc)
            else:
                jobs.append(Job(number, task, spec, replace(request, priority=task.priority, hints=task.hints)))
        return cls(tuple(jobs), failed, library)

    @property
    def every(self) -> Sequence[int]:
        """The positions of all jobs, for the methods that take some."""
        return range(len(self.jobs))

    def at(self, positions: Sequence[int]) -> tuple[Job, ...]:
        """Some of the jobs."""
        return tuple(self.jobs[position] for position in positions)

    def requests(self, positions: Sequence[int]) -> list[EngineRequest]:
        """What the engine is asked for some of the jobs."""
        return [job.request for job in self.at(positions)]

    def hook(self, on_token: OnToken | None, positions: Sequence[int]) -> OnToken | None:
        """The caller's hook by the numbers of the tasks, for a request that holds some of the jobs."""
        if on_token is None:
            return None
        numbers = [job.number for job in self.at(positions)]
        return lambda row, tokens, text: on_token(numbers[row], tokens, text)

    def generations(self, positions: Sequence[int], results: Sequence[EngineResult]) -> list[Generation]:
        """One generation for each of some jobs, from the engine's results."""
        pairs = zip(self.at(positions), results, strict=True)
        return [
            replace(Generation.of(job.spec, result, self.library), skills=tuple(map(_name, job.task.skills or ())))
            for job, result in pairs
        ]

    def merged(self, generations: Sequence[Generation]) -> list[Generation]:
        """One generation for each task, in order, from one for each job."""
        known = dict(self.failed) | {job.number: own for job, own in zip(self.jobs, generations, strict=True)}
        return [known[number] for number in range(len(known))]


def _name(skill: Skill) -> str:
    return skill.name


def changed(constraints: Constraints, **changes: Any) -> Constraints:
    """The constraints with some fields replaced, where the new value is not None, and everything validated again."""
    given = {name: value for name, value in changes.items() if value is not None}
    # Not dict(constraints): that also holds what the model has cached.
    own = {name: getattr(constraints, name) for name in Constraints.model_fields}
    return Constraints(**own | given) if given else constraints


def engine_request(
    prompt: str, spec: CompiledSpec, sampling: Sampling = GREEDY, skills: Sequence[Skill] = ()
) -> EngineRequest:
    """What an engine is asked for one task."""
    return EngineRequest(
        prompt=build_prompt(prompt, spec.constraints, skills),
        spec=spec,
        sampling=sampling,
        max_output_tokens=spec.constraints.max_output_tokens,
        token_cap=default_token_cap(spec.constraints),
    )


def default_token_cap(constraints: Constraints) -> int:
    """The most tokens of an answer where nobody sets a limit, so that a runaway word does not fill the context.

    For each block 128 tokens (heading, signature), for each node 64 (its layout, without texts; gold plans of real
    catalogues take 60 to 90 with theirs) and one text of full length at three characters a token. A plan of 5 nodes
    gets 1,113 tokens.
    """
    per_node = _NODE_TOKENS + constraints.max_text_chars // _CHARS_PER_TOKEN
    return constraints.max_subgraphs * _BLOCK_TOKENS + constraints.max_nodes * per_node
