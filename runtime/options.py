"""The keyword arguments of generations, and the tasks that they describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.runtime.engines.base import GREEDY, OnToken, Sampling, ServingHints
from agentic_dsl.runtime.jobs import Task

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library


T = TypeVar("T")


class _Shared(TypedDict, total=False):
    max_output_tokens: int | None
    max_nodes: int | None
    allowed_node_types: Sequence[str] | None
    allow_free_text: bool | None
    seed: int | None
    sampling: Sampling
    library: Library | None
    on_token: OnToken | None


class GenerationOptions(_Shared, total=False):
    """What `AgenticLLM.generate_subgraph` and its twins take beside the prompt; it says what each means."""

    constraints: Constraints | None
    context_signature: ContextSignature | None
    priority: int
    hints: ServingHints | None


class BatchOptions(_Shared, total=False):
    """What `AgenticLLM.batch_generate_subgraphs` and its twin take beside the prompts."""

    constraints: Constraints | Sequence[Constraints] | None
    context_signatures: Sequence[ContextSignature | None] | None
    priorities: Sequence[int] | None
    hints: Sequence[ServingHints | None] | None


def task_of(prompt: str, options: GenerationOptions) -> Task:
    """The task of one generation."""
    return Task(
        prompt,
        _given(options.get("constraints"), Constraints()),
        _changes(options, options.get("context_signature")),
        _sampling(options, 0),
        options.get("priority", 0),
        options.get("hints"),
    )


def tasks_of(prompts: Sequence[str], options: BatchOptions) -> list[Task]:
    """The tasks of a batch.

    Raises:
        ValueError: there are not as many constraints, contexts, priorities or hints as prompts.
    """
    count = len(prompts)
    constraints = options.get("constraints")
    if constraints is None:
        constraints = Constraints()
    each = zip(
        prompts,
        [constraints] * count if isinstance(constraints, Constraints) else constraints,
        _given(options.get("context_signatures"), [None] * count),
        _given(options.get("priorities"), [0] * count),
        _given(options.get("hints"), [None] * count),
        strict=True,
    )
    return [
        Task(prompt, own, _changes(options, context), _sampling(options, number), priority, hints)
        for number, (prompt, own, context, priority, hints) in enumerate(each)
    ]


def _given(value: T | None, default: T) -> T:
    """An option, or what holds where it is left out; an empty one is not left out."""
    return default if value is None else value


def _changes(options: _Shared, context: ContextSignature | None) -> dict[str, Any]:
    types = options.get("allowed_node_types")
    return {
        "max_output_tokens": options.get("max_output_tokens"),
        "max_nodes": options.get("max_nodes"),
        "allowed_node_types": None if types is None else tuple(types),
        "context": context,
        "allow_free_text": options.get("allow_free_text"),
    }


def _sampling(options: _Shared, number: int) -> Sampling:
    """The sampling of prompt number i starts at ``seed + i``, so that equal prompts give different answers."""
    sampling = options.get("sampling", GREEDY)
    seed = options.get("seed")
    start = sampling.seed if seed is None else seed
    return replace(sampling, seed=None if start is None else start + number)
