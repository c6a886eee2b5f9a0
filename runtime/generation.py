"""`AgenticLLM`: a task in words becomes a checked subgraph. What happens in between is `Answering`'s."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.answering import Answering
from agentic_dsl.runtime.answers import Generation
from agentic_dsl.runtime.config import EngineConfig, load_config
from agentic_dsl.runtime.engines.base import GREEDY, Engine, OnToken, Sampling, ServingHints
from agentic_dsl.runtime.engines.registry import open_engine
from agentic_dsl.runtime.jobs import changed
from agentic_dsl.runtime.observation.calls import Observers
from agentic_dsl.runtime.options import BatchOptions, GenerationOptions, task_of, tasks_of
from agentic_dsl.runtime.proven_nodes import ProvenNodes
from agentic_dsl.runtime.streaming import AsyncSubgraphStream, SubgraphStream
from agentic_dsl.runtime.subgraph_cache.generations import GenerationCache
from agentic_dsl.runtime.task_skills import TaskSkills

if TYPE_CHECKING:
    from agentic_dsl.ast import Subgraph
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.runtime.subgraph_cache.port import SubgraphCache
    from agentic_dsl.skills.detector import SkillSource


_NOBODY = Observers()


class AgenticLLM:
    """A language model that answers in subgraphs. Safe to share between threads, as far as its engine is."""

    def __init__(
        self,
        engine: str | Engine = "transformers",
        model: Any = None,
        *,
        subgraph_cache: SubgraphCache | GenerationCache | None = None,
        skills: TaskSkills | SkillSource | str | Path | Sequence[str | Path] | None = None,
        observers: Observers = _NOBODY,
        **engine_options: Any,
    ) -> None:
        """Loads the engine.

        Args:
            engine: a name of `ENGINES`, or an engine that is already there.
            model: what the engine calls a model; None is the engine's default (``smollm2`` for ``transformers``).
            subgraph_cache: where valid answers are kept; equal requests at the same time then wait for the first one.
            skills: what tasks may need: a registry, or folders of skills. Each task gets those that it asks for or
                that fit it (`SkillDetector`), their tools included.
            observers: who is told of every request: traces, metrics, spans.
            engine_options: further arguments of the engine's class, such as ``dtype``.

        Raises:
            EngineError: there is no such engine.
            ModelError: the model is missing; the help names the command that fetches it.
            MissingExtraError: a library that the engine needs is not installed.
        """
        if isinstance(engine, str):
            engine = open_engine(engine, model, **engine_options)
        elif model is not None or engine_options:
            raise EngineError(
                "an engine that is already there takes no model and no options",
                help="give them to the engine's own class",
            )
        if subgraph_cache is not None and not isinstance(subgraph_cache, GenerationCache):
            subgraph_cache = GenerationCache(subgraph_cache)
        self._answering = Answering(
            engine, subgraph_cache, None if skills is None else TaskSkills.of(skills), observers
        )

    @property
    def engine(self) -> Engine:
        """What runs the model."""
        return self._answering.engine

    @property
    def cache(self) -> GenerationCache | None:
        """What stands before it, None where every task is generated anew."""
        return self._answering.cache

    @property
    def skills(self) -> TaskSkills | None:
        """What chooses skills for tasks, None where there are none."""
        return self._answering.skills

    @property
    def observers(self) -> Observers:
        """Who is told of every request."""
        return self._answering.observers

    @classmethod
    def from_config(
        cls,
        config: EngineConfig | Path | str | None = None,
        *,
        subgraph_cache: SubgraphCache | GenerationCache | None = None,
        skills: TaskSkills | SkillSource | str | Path | Sequence[str | Path] | None = None,
        observers: Observers = _NOBODY,
    ) -> AgenticLLM:
        """The model that a configuration names.

        Args:
            config: a configuration, or the file that holds one; None is the environment alone. See `load_config`.
            subgraph_cache: as for the class.
            skills: as for the class.
            observers: as for the class.

        Raises:
            UsageError: the configuration cannot be read.
        """
        found = config if isinstance(config, EngineConfig) else load_config(config)
        return cls(found.open(), subgraph_cache=subgraph_cache, skills=skills, observers=observers)

    def close(self) -> None:
        """Lets go of what the engine holds."""
        self.engine.close()

    def generate_subgraph(
        self,
        prompt: str,
        *,
        constraints: Constraints | None = None,
        max_output_tokens: int | None = None,
        max_nodes: int | None = None,
        allowed_node_types: Sequence[str] | None = None,
        context_signature: ContextSignature | None = None,
        allow_free_text: bool | None = None,
        seed: int | None = None,
        sampling: Sampling = GREEDY,
        library: Library | None = None,
        on_token: OnToken | None = None,
        priority: int = 0,
        hints: ServingHints | None = None,
    ) -> Generation:
        """Generates one subgraph.

        Args:
            prompt: what the subgraph must do, in words.
            constraints: the contract of the answer; None is `Constraints()`. The next five arguments replace fields
                of it.
            max_output_tokens: the most tokens of the answer. Where neither this nor the constraints say, it is what
                the model's context leaves after the prompt, at most `default_token_cap`.
            max_nodes: the most nodes.
            allowed_node_types: the only node types.
            context_signature: what the context holds and must hold in the end.
            allow_free_text: whether the model may answer in plain text instead; `Generation.kind` says what it did.
            seed: where the random numbers start; overrides the one in ``sampling``.
            sampling: how tokens are chosen; the default takes the likeliest one, whatever the seed.
            library: entries that references may name beside ``constraints.libraries``; for the check only.
            on_token: called after each pass of the model, see `OnToken`.
            priority: lower numbers go first, where the engine has an order.
            hints: for the serving layer, see `ServingHints`.

        Returns:
            The generation; see `Generation.valid`.

        Raises:
            ConstraintError: the constraints contradict each other or cannot be compiled.
            GenerationError: the engine could not answer, for example because the prompt is too long.
            EngineError: the engine as a whole cannot work.
        """
        options: GenerationOptions = {
            "constraints": constraints,
            "max_output_tokens": max_output_tokens,
            "max_nodes": max_nodes,
            "allowed_node_types": allowed_node_types,
            "context_signature": context_signature,
            "allow_free_text": allow_free_text,
            "seed": seed,
            "sampling": sampling,
            "priority": priority,
            "hints": hints,
        }
        return _only(self._answering.run([task_of(prompt, options)], library, on_token))

    def stream_subgraph(self, prompt: str, **options: Unpack[GenerationOptions]) -> SubgraphStream:
        """Generates one subgraph node by node, with the arguments of `generate_subgraph`.

        A node comes as soon as it is closed and proven (see `ProvenNodes`), in the order of the text and equal to the
        one in the end. After the last one, ``stream.generation`` is what `generate_subgraph` would have returned::

            with llm.stream_subgraph("…", constraints=constraints) as stream:
                for node in stream:
                    ...
            generation = stream.generation

        Raises:
            ConstraintError: the constraints contradict each other. Whatever else `generate_subgraph` raises comes out
                of the stream.
        """
        task, library = task_of(prompt, options), options.get("library")
        if self.skills is not None:
            task = self.skills.equipped_task(task)
        proven = ProvenNodes(changed(task.constraints, **task.changes), library)

        async def run(on_token: OnToken) -> Generation:
            return _only(await self._answering.arun([task], library, on_token))

        return SubgraphStream(run, proven, options.get("on_token"))

    def astream_subgraph(self, prompt: str, **options: Unpack[GenerationOptions]) -> AsyncSubgraphStream:
        """`stream_subgraph` for ``async for``, with the same arguments; the event loop stays free."""
        return AsyncSubgraphStream.of(self.stream_subgraph(prompt, **options))

    def batch_generate_subgraphs(
        self,
        prompts: Sequence[str],
        *,
        context_signatures: Sequence[ContextSignature | None] | None = None,
        constraints: Constraints | Sequence[Constraints] | None = None,
        max_output_tokens: int | None = None,
        max_nodes: int | None = None,
        allowed_node_types: Sequence[str] | None = None,
        allow_free_text: bool | None = None,
        seed: int | None = None,
        sampling: Sampling = GREEDY,
        library: Library | None = None,
        on_token: OnToken | None = None,
        priorities: Sequence[int] | None = None,
        hints: Sequence[ServingHints | None] | None = None,
    ) -> list[Generation]:
        """Generates one subgraph for each prompt, together.

        Args:
            prompts: the tasks.
            context_signatures: one for each prompt, None where its constraints' own holds.
            constraints: one for all prompts, or one for each.
            max_output_tokens: as for `generate_subgraph`, like all that follow.
            max_nodes: the most nodes of each answer.
            allowed_node_types: the only node types.
            allow_free_text: whether answers may be plain text.
            seed: prompt number i starts at ``seed + i``, so that equal prompts give different answers.
            sampling: how tokens are chosen.
            library: entries that references may name.
            on_token: called with the number of the prompt.
            priorities: one for each prompt; lower numbers go first, where the engine has an order.
            hints: one for each prompt, for the serving layer.

        Returns:
            One generation for each prompt, in order. Where one could not be answered, `Generation.error` says why;
            the others are not affected.

        Raises:
            ValueError: there are not as many of one thing as of another.
            EngineError: the engine as a whole cannot work.
        """
        options: BatchOptions = {
            "context_signatures": context_signatures,
            "constraints": constraints,
            "max_output_tokens": max_output_tokens,
            "max_nodes": max_nodes,
            "allowed_node_types": allowed_node_types,
            "allow_free_text": allow_free_text,
            "seed": seed,
            "sampling": sampling,
            "priorities": priorities,
            "hints": hints,
        }
        return self._answering.run(tasks_of(prompts, options), library, on_token)

    async def agenerate_subgraph(self, prompt: str, **options: Unpack[GenerationOptions]) -> Generation:
        """`generate_subgraph` with the same arguments; the event loop stays free. Cancelled, it stops the engine."""
        return _only(
            await self._answering.arun([task_of(prompt, options)], options.get("library"), options.get("on_token"))
        )

    async def abatch_generate_subgraphs(
        self, prompts: Sequence[str], **options: Unpack[BatchOptions]
    ) -> list[Generation]:
        """`batch_generate_subgraphs` with the same arguments; the event loop stays free."""
        return await self._answering.arun(tasks_of(prompts, options), options.get("library"), options.get("on_token"))

    def cache_subgraph(self, subgraph: Subgraph, prompt: str, **options: Unpack[GenerationOptions]) -> Generation:
        """Stores a subgraph that is known to be good as the answer to a task.

        Args:
            subgraph: checked before it is stored.
            prompt: the task, whose answer it is from now on.
            options: those of the `generate_subgraph` call that shall get it.

        Raises:
            UsageError: there is no cache, or the subgraph breaks a rule of the language or of the constraints.
            ConstraintError: the constraints contradict each other.
        """
        jobs = self._answering.jobs([task_of(prompt, options)], options.get("library"))
        for refused in jobs.failed.values():
            _only([refused])
        [request] = self._answering.wanted(jobs)
        return self._answering.its_cache.cache_subgraph(subgraph, request)

    def warm_up(self, paths: Sequence[str]) -> int:
        """Brings stored answers for some paths, and what is below them, into memory; says how many.

        Raises:
            UsageError: there is no cache.
        """
        return self._answering.its_cache.warm_up(paths)


def _only(generations: Sequence[Generation]) -> Generation:
    """The generation of a call for one task, whose failure is the call's."""
    (generation,) = generations
    if generation.error is not None:
        raise generation.error
    return generation
