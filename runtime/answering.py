"""`Answering`: the way of every call: tasks → contracts → cache → engine → check, told to the observers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentic_dsl.errors import AgenticDSLError, UsageError
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.engines.base import Engine, OnToken
from agentic_dsl.runtime.jobs import Jobs, Task
from agentic_dsl.runtime.observation.calls import Call, Observers
from agentic_dsl.runtime.subgraph_cache.checked import CacheRequest
from agentic_dsl.runtime.subgraph_cache.generations import GenerationCache
from agentic_dsl.runtime.task_skills import TaskSkills

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers tasks, put together; safe to share between threads as far as its engine is.

    Attributes:
        engine: what runs the model.
        cache: what stands before it, None where every task is generated anew.
        skills: what chooses skills for tasks, None where there are none.
        observers: who is told of every call.
    """

    engine: Engine
    cache: GenerationCache | None
    skills: TaskSkills | None
    observers: Observers

    def run(self, tasks: Sequence[Task], library: Library | None, on_token: OnToken | None) -> list[Generation]:
        """The answers to some tasks, in order."""
        with self._call(tasks) as call:
            with call.compiling():
                jobs = self.jobs(tasks, library)

            def ask(positions: Sequence[int]) -> list[Generation]:
                if not positions:
                    return []
                hook = jobs.hook(on_token, positions)
                results = self.engine.generate(jobs.requests(positions), on_token=hook)
                call.answered(jobs.at(positions), results, self.engine.name)
                with call.checking():
                    return jobs.generations(positions, results)

            with call.asking(jobs.jobs):
                found = ask(jobs.every) if self.cache is None else self.cache.resolve(self._wanted(jobs), ask)
            generations = jobs.merged(found)
            call.done(generations)
        return generations

    async def arun(self, tasks: Sequence[Task], library: Library | None, on_token: OnToken | None) -> list[Generation]:
        """The same; what takes longer than a moment runs in threads."""
        with self._call(tasks) as call:
            with call.compiling():
                jobs = await asyncio.to_thread(self.jobs, tasks, library)

            async def ask(positions: Sequence[int]) -> list[Generation]:
                if not positions:
                    return []
                hook = jobs.hook(on_token, positions)
                results = await self.engine.agenerate(jobs.requests(positions), on_token=hook)
                call.answered(jobs.at(positions), results, self.engine.name)
                with call.checking():
                    return await asyncio.to_thread(jobs.generations, positions, results)

            with call.asking(jobs.jobs):
                if self.cache is None:
                    found = await ask(jobs.every)
                else:
                    found = await self.cache.aresolve(await asyncio.to_thread(self._wanted, jobs), ask)
            generations = jobs.merged(found)
            call.done(generations)
        return generations

    def jobs(self, tasks: Sequence[Task], library: Library | None) -> Jobs:
        """What the engine would be asked; tasks whose skills nobody has chosen get them here."""
        return Jobs.of(tasks, library, None if self.skills is None else self.skills.equipped_task)

    def wanted(self, jobs: Jobs) -> list[CacheRequest]:
        """What the cache is asked for each job.

        Raises:
            UsageError: there is no cache.
            AgenticDSLError: the engine cannot say what it is, because its server gives no answer.
        """
        identity = self.engine.identity  # before the name: an engine may learn its model here
        overlay = "overlay" if self.engine.capabilities.supports_overlay else "grammar"
        return [
            self.its_cache.request(
                job.task.prompt,
                job.spec.constraints,
                engine=self.engine.name,
                sampling=job.task.sampling,
                library=jobs.library,
                options=" ".join([identity, overlay, *sorted(skill.content_hash for skill in job.task.skills or ())]),
            )
            for job in jobs.jobs
        ]

    def _wanted(self, jobs: Jobs) -> list[CacheRequest]:
        """The same; where the engine cannot say what it is, requests that go past the cache, so that it says why."""
        try:
            return self.wanted(jobs)
        except AgenticDSLError as exc:
            _log.debug("no cached answer is looked for: %s", exc)
            return [CacheRequest(None, job.spec.constraints, self.engine.name, jobs.library) for job in jobs.jobs]

    @property
    def its_cache(self) -> GenerationCache:
        """The cache.

        Raises:
            UsageError: there is none.
        """
        if self.cache is None:
            raise UsageError(
                "this AgenticLLM has no subgraph cache", help="give it one: AgenticLLM(…, subgraph_cache=…)"
            )
        return self.cache

    def _call(self, tasks: Sequence[Task]) -> Call:
        return self.observers.call(self.engine.name, len(tasks), has_cache=self.cache is not None)
