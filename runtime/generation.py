"""`AgenticLLM`: a task in words becomes a checked subgraph.

One generation: constraints → grammar (`compile`) and prompt (`build_prompt`) → engine → text → `reparse`.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from agentic_dsl.compiler.pipeline import CompiledSpec, ReportEntry, compile, without_overlay
from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.errors import AgenticDSLError, EngineError
from agentic_dsl.runtime.engines.base import GREEDY, Engine, EngineRequest, EngineResult, OnToken, Sampling, Stats
from agentic_dsl.runtime.prompt import build_prompt
from agentic_dsl.runtime.proven_nodes import ProvenNodes
from agentic_dsl.runtime.reparse import reparse
from agentic_dsl.runtime.streaming import AsyncSubgraphStream, SubgraphStream

if TYPE_CHECKING:
    from agentic_dsl.ast import Document, Subgraph
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.diagnostics import Diagnostic

ENGINES: Mapping[str, tuple[str, str]] = {
    "transformers": ("agentic_dsl.runtime.engines.transformers", "TransformersEngine"),
    "random": ("agentic_dsl.runtime.engines.random", "RandomEngine"),
}
"""Name → module and class; an engine's libraries are imported when it is asked for."""

_BLOCK_TOKENS = 128
_NODE_TOKENS = 64
_CHARS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What came of one task.

    Attributes:
        text: the answer, as the engine gave it.
        subgraph: the answer's block; after an answer that was cut, as much as can be read. None where there is none.
        diagnostics: what is wrong with the answer, in order; spans point into ``document.source``.
        report: how each constraint was enforced.
        token_ids: the tokens of the answer, its end token included.
        prompt_token_ids: the prompt as the model read it.
        stats: what it cost.
        cached: whether the answer came from the subgraph cache, so that no model ran.
        document: the answer, parsed; None where there is no answer.
        error: why there is no answer. Only in batches: a single generation raises it.
    """

    text: str
    subgraph: Subgraph | None
    diagnostics: tuple[Diagnostic, ...]
    report: tuple[ReportEntry, ...]
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    stats: Stats = field(default_factory=Stats)
    cached: bool = False
    document: Document | None = None
    error: AgenticDSLError | None = None

    @property
    def valid(self) -> bool:
        """Whether there is a subgraph that keeps the language's rules and the constraints."""
        return (
            self.error is None
            and self.subgraph is not None
            and not any(finding.is_error for finding in self.diagnostics)
        )


class AgenticLLM:
    """A language model that answers in subgraphs. Safe to share between threads, as far as its engine is.

    Attributes:
        engine: what runs the model.
    """

    def __init__(self, engine: str | Engine = "transformers", model: Any = None, **engine_options: Any) -> None:
        """Loads the engine.

        Args:
            engine: a name of `ENGINES`, or an engine that is already there.
            model: what the engine calls a model; None is the engine's default (``smollm2`` for ``transformers``).
            engine_options: further arguments of the engine's class, such as ``dtype``.

        Raises:
            EngineError: there is no such engine.
            ModelError: the model is missing; the help names the command that fetches it.
            MissingExtraError: a library that the engine needs is not installed.
        """
        if not isinstance(engine, str):
            if model is not None or engine_options:
                raise EngineError(
                    "an engine that is already there takes no model and no options",
                    help="give them to the engine's own class",
                )
            self.engine: Engine = engine
            return
        if engine not in ENGINES:
            raise EngineError(f'there is no engine "{engine}"', help=f"name one of: {', '.join(ENGINES)}")
        module, class_name = ENGINES[engine]
        self.engine = getattr(importlib.import_module(module), class_name)(model, **engine_options)

    def generate_subgraph(
        self,
        prompt: str,
        *,
        constraints: Constraints | None = None,
        max_output_tokens: int | None = None,
        max_nodes: int | None = None,
        allowed_node_types: Sequence[str] | None = None,
        context_signature: ContextSignature | None = None,
        seed: int | None = None,
        sampling: Sampling = GREEDY,
        library: Library | None = None,
        on_token: OnToken | None = None,
    ) -> Generation:
        """Generates one subgraph.

        Args:
            prompt: what the subgraph must do, in words.
            constraints: the contract of the answer; None is `Constraints()`. The next four arguments replace fields
                of it.
            max_output_tokens: the most tokens of the answer. Where neither this nor the constraints say, it is what
                the model's context leaves after the prompt, at most `default_token_cap`.
            max_nodes: the most nodes.
            allowed_node_types: the only node types.
            context_signature: what the context holds and must hold in the end.
            seed: where the random numbers start; overrides the one in ``sampling``.
            sampling: how tokens are chosen; the default takes the likeliest one, whatever the seed.
            library: entries that references may name beside ``constraints.libraries``; for the check only.
            on_token: called after each pass of the model, see `OnToken`.

        Returns:
            The generation; see `Generation.valid`.

        Raises:
            ConstraintError: the constraints contradict each other or cannot be compiled.
            GenerationError: the engine could not answer, for example because the prompt is too long.
            EngineError: the engine as a whole cannot work.
        """
        generation = self.batch_generate_subgraphs(
            [prompt],
            context_signatures=None if context_signature is None else [context_signature],
            constraints=constraints,
            max_output_tokens=max_output_tokens,
            max_nodes=max_nodes,
            allowed_node_types=allowed_node_types,
            seed=seed,
            sampling=sampling,
            library=library,
            on_token=on_token,
        )[0]
        if generation.error is not None:
            raise generation.error
        return generation

    def stream_subgraph(
        self,
        prompt: str,
        *,
        constraints: Constraints | None = None,
        max_output_tokens: int | None = None,
        max_nodes: int | None = None,
        allowed_node_types: Sequence[str] | None = None,
        context_signature: ContextSignature | None = None,
        seed: int | None = None,
        sampling: Sampling = GREEDY,
        library: Library | None = None,
        on_token: OnToken | None = None,
    ) -> SubgraphStream:
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
        changes = {
            "max_output_tokens": max_output_tokens,
            "max_nodes": max_nodes,
            "allowed_node_types": None if allowed_node_types is None else tuple(allowed_node_types),
            "context": context_signature,
        }
        wanted = _changed(constraints or Constraints(), changes)
        run = partial(self.generate_subgraph, prompt, constraints=wanted, seed=seed, sampling=sampling, library=library)
        return SubgraphStream(run, ProvenNodes(wanted, library), on_token)

    def astream_subgraph(self, prompt: str, **options: Any) -> AsyncSubgraphStream:
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
        seed: int | None = None,
        sampling: Sampling = GREEDY,
        library: Library | None = None,
        on_token: OnToken | None = None,
    ) -> list[Generation]:
        """Generates one subgraph for each prompt, together.

        Args:
            prompts: the tasks.
            context_signatures: one for each prompt, None where its constraints' own holds.
            constraints: one for all prompts, or one for each.
            max_output_tokens: as for `generate_subgraph`, like all that follow.
            max_nodes: the most nodes of each answer.
            allowed_node_types: the only node types.
            seed: prompt number i starts at ``seed + i``, so that equal prompts give different answers.
            sampling: how tokens are chosen.
            library: entries that references may name.
            on_token: called with the number of the prompt.

        Returns:
            One generation for each prompt, in order. Where one could not be answered, `Generation.error` says why;
            the others are not affected.

        Raises:
            ValueError: there are not as many constraints or context signatures as prompts.
            EngineError: the engine as a whole cannot work.
        """
        changes = {
            "max_output_tokens": max_output_tokens,
            "max_nodes": max_nodes,
            "allowed_node_types": None if allowed_node_types is None else tuple(allowed_node_types),
        }
        each = _each(constraints, len(prompts))
        contexts = [None] * len(prompts) if context_signatures is None else context_signatures
        jobs: dict[int, tuple[CompiledSpec, EngineRequest]] = {}
        generations: dict[int, Generation] = {}
        specs: dict[str, CompiledSpec] = {}
        for number, (prompt, own, context) in enumerate(zip(prompts, each, contexts, strict=True)):
            try:
                wanted = _changed(own, changes | {"context": context})
                spec = specs.get(wanted.digest) or specs.setdefault(wanted.digest, compile(wanted))
                start = sampling.seed if seed is None else seed
                chosen = replace(sampling, seed=None if start is None else start + number)
                jobs[number] = (spec, engine_request(prompt, spec, chosen))
            except AgenticDSLError as exc:
                generations[number] = Generation(text="", subgraph=None, diagnostics=(), report=(), error=exc)
        numbers = list(jobs)
        hook = None if on_token is None else _renumbered(on_token, numbers)
        results = self.engine.generate([jobs[number][1] for number in numbers], on_token=hook) if jobs else []
        for number, result in zip(numbers, results, strict=True):
            generations[number] = _generation(jobs[number][0], result, library)
        return [generations[number] for number in range(len(prompts))]

    async def agenerate_subgraph(self, prompt: str, **options: Any) -> Generation:
        """`generate_subgraph` in a thread of its own, with the same arguments; the event loop stays free."""
        return await asyncio.to_thread(self.generate_subgraph, prompt, **options)

    async def abatch_generate_subgraphs(self, prompts: Sequence[str], **options: Any) -> list[Generation]:
        """`batch_generate_subgraphs` in a thread of its own, with the same arguments."""
        return await asyncio.to_thread(self.batch_generate_subgraphs, prompts, **options)


def engine_request(prompt: str, spec: CompiledSpec, sampling: Sampling = GREEDY) -> EngineRequest:
    """What an engine is asked for one task."""
    return EngineRequest(
        prompt=build_prompt(prompt, spec.constraints),
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


def _each(constraints: Constraints | Sequence[Constraints] | None, count: int) -> Sequence[Constraints]:
    if constraints is None or isinstance(constraints, Constraints):
        return [constraints or Constraints()] * count
    return constraints


def _changed(constraints: Constraints, changes: Mapping[str, Any]) -> Constraints:
    """The constraints with some fields replaced and everything validated again."""
    given = {name: value for name, value in changes.items() if value is not None}
    # Not dict(constraints): that also holds what the model has cached.
    own = {name: getattr(constraints, name) for name in Constraints.model_fields}
    return Constraints(**own | given) if given else constraints


def _renumbered(on_token: OnToken, numbers: Sequence[int]) -> OnToken:
    """The hook by the numbers of the prompts, where some prompts never reached the engine."""
    return lambda row, tokens, text: on_token(numbers[row], tokens, text)


def _generation(spec: CompiledSpec, result: EngineResult, library: Library | None) -> Generation:
    report = spec.report if result.overlay else without_overlay(spec.report)
    if result.error is not None:
        return Generation(
            text=result.text,
            subgraph=None,
            diagnostics=(),
            report=report,
            token_ids=result.token_ids,
            prompt_token_ids=result.prompt_token_ids,
            stats=result.stats,
            error=result.error,
        )
    answer = reparse(result.text, spec.constraints, library=library, complete=result.finish == "stop")
    return Generation(
        text=result.text,
        subgraph=answer.subgraph,
        diagnostics=answer.diagnostics,
        report=report,
        token_ids=result.token_ids,
        prompt_token_ids=result.prompt_token_ids,
        stats=result.stats,
        document=answer.document,
    )
