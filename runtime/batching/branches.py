"""Branches that are generated together: the ``generate_subgraph`` nodes behind a ``fork``, as one batch.

`branch_batch` reads a document: which nodes, in which order, each with its prompt and its contract. `generate_branches`
asks a model for them and puts the answers beside the document, as blocks of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, TypedDict, Unpack

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import UsageError
from agentic_dsl.format import format_document, format_subgraph
from agentic_dsl.runtime.batching.branch_contracts import Contracts
from agentic_dsl.runtime.batching.branch_order import Branch, find_branches
from agentic_dsl.runtime.batching.template_text import fill_in
from agentic_dsl.runtime.engines.base import GREEDY, OnToken, Sampling, ServingHints
from agentic_dsl.runtime.engines.serving_hints import hints_of
from agentic_dsl.signature import Data, Signature

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.runtime.answers import Generation
    from agentic_dsl.runtime.generation import AgenticLLM
    from agentic_dsl.runtime.options import BatchOptions


class BranchOptions(TypedDict, total=False):
    """The keyword arguments of `generate_branches`, for its twin."""

    fork: str | None
    context: Mapping[str, Data] | None
    constraints: Constraints | None
    library: Library | None
    session: str | None
    seed: int | None
    sampling: Sampling
    on_token: OnToken | None


@dataclass(frozen=True, slots=True)
class BranchTask:
    """One node of a batch.

    Attributes:
        node: its full path.
        prompt: its ``prompt_template``, filled in.
        constraints: the contract of what is generated for it.
        length: nodes on the longest way from it to an end, each that generates counted as what it may generate.
        priority: 0 where that way is longest; larger by one for each node less.
        hints: for the serving layer.
    """

    node: str
    prompt: str
    constraints: Constraints
    length: int
    priority: int
    hints: ServingHints

    @property
    def id(self) -> str:
        """The node's id."""
        return self.node.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class BranchBatch:
    """What is to be generated for a document.

    Attributes:
        document: where the nodes stand.
        tasks: the longest way first; equally long ones in the order of the document.
    """

    document: Document
    tasks: tuple[BranchTask, ...]

    @property
    def prompts(self) -> list[str]:
        """What is asked, in order."""
        return [task.prompt for task in self.tasks]


@dataclass(frozen=True, slots=True)
class BranchResults:
    """What came of a batch.

    Attributes:
        generations: full path of a node → what was generated for it, in the order of the batch.
        document: the document with every valid answer beside it, parsed anew.
    """

    generations: Mapping[str, Generation]
    document: Document

    def __getitem__(self, node: str) -> Generation:
        """The generation for a node, by its full path, or by its id where only one node has it."""
        found = [path for path in self.generations if node in (path, path.rpartition("/")[2])]
        if len(found) != 1:
            raise KeyError(node)
        return self.generations[found[0]]

    @property
    def failed(self) -> tuple[str, ...]:
        """The nodes without a valid answer."""
        return tuple(node for node, generation in self.generations.items() if not generation.valid)


def branch_batch(
    document: Document,
    *,
    fork: str | None = None,
    context: Mapping[str, Data] | None = None,
    constraints: Constraints | None = None,
    library: Library | None = None,
    session: str | None = None,
) -> BranchBatch:
    """The ``generate_subgraph`` nodes of a fork's branches, as tasks of one batch.

    Taken are all that lie behind the fork and before the node where all of its branches have met, but for those that
    another one of them leads to: these may need what that one brings.

    Args:
        document: a document that parses.
        fork: the fork's id or full path; None takes those of every fork.
        context: the values that prompts and prefixes read.
        constraints: what all answers share; None is `Constraints.from_document`. Each branch narrows it: its own path,
            what is available at its node, the node's outputs as required ones, its share of the budget, one level of
            depth less, and no more permissions than the node and its block have.
        library: entries that references may name.
        session: what a serving layer may call the document; None is a hash of it. Branches are forked from it.

    Raises:
        UsageError: the document does not parse or has a circle, there is no such fork, or a prompt reads what
            ``context`` does not hold.
        ConstraintError: nothing may be generated: no depth or no nodes are left, a path is taken.
    """
    values = context or {}
    found = find_branches(document, fork, library=library, constraints=constraints)
    contracts = Contracts.of(found, constraints, library, values)
    name = session or f"agentic-dsl-{sha256(format_document(document).encode()).hexdigest()[:16]}"
    sized = [(branch, contracts.constraints(branch)) for branch in found.branches]
    lengths = found.lengths(contracts.max_nodes)
    longest = max((lengths[branch.place.number] for branch, _ in sized), default=0)
    tasks = [
        BranchTask(
            node=branch.place.path,
            prompt=_prompt(branch, values),
            constraints=own,
            length=lengths[branch.place.number],
            priority=longest - lengths[branch.place.number],
            hints=hints_of(name, str(branch.place.path), own),
        )
        for branch, own in sized
    ]
    return BranchBatch(document, tuple(sorted(tasks, key=lambda task: task.priority)))


def generate_branches(
    llm: AgenticLLM,
    document: Document,
    *,
    fork: str | None = None,
    context: Mapping[str, Data] | None = None,
    constraints: Constraints | None = None,
    library: Library | None = None,
    session: str | None = None,
    seed: int | None = None,
    sampling: Sampling = GREEDY,
    on_token: OnToken | None = None,
) -> BranchResults:
    """Generates what the branches of a document's forks ask for, in one batch; see `branch_batch` for the arguments.

    Args:
        llm: what generates.
        document: as for `branch_batch`, like the next five.
        fork: the fork, None for all.
        context: values for the prompts.
        constraints: what all answers share.
        library: entries that references may name.
        session: what a serving layer may call the document.
        seed: task number i of the batch starts at ``seed + i``.
        sampling: how tokens are chosen.
        on_token: called with the number of the task, in the order of the batch.

    Returns:
        A generation for each node. One that failed or is not valid spoils no other; it is not in the document.
    """
    batch = branch_batch(
        document, fork=fork, context=context, constraints=constraints, library=library, session=session
    )
    generations = llm.batch_generate_subgraphs(batch.prompts, **_options(batch, library, seed, sampling, on_token))
    return attach(batch, generations)


async def agenerate_branches(llm: AgenticLLM, document: Document, **options: Unpack[BranchOptions]) -> BranchResults:
    """`generate_branches` with the same arguments; the event loop stays free."""
    library = options.get("library")
    batch = await asyncio.to_thread(
        branch_batch,
        document,
        fork=options.get("fork"),
        context=options.get("context"),
        constraints=options.get("constraints"),
        library=library,
        session=options.get("session"),
    )
    sampling = options.get("sampling", GREEDY)
    asked = _options(batch, library, options.get("seed"), sampling, options.get("on_token"))
    return await asyncio.to_thread(attach, batch, await llm.abatch_generate_subgraphs(batch.prompts, **asked))


def attach(batch: BranchBatch, generations: Sequence[Generation]) -> BranchResults:
    """The answers to a batch, in its order, by node, and the document with the valid ones beside it.

    A generated block is its own contract there: its signature says what was available at its node and what it writes.
    The document's own text stays as it is.
    """
    by_node = {task.node: generation for task, generation in zip(batch.tasks, generations, strict=True)}
    made: list[str] = []
    for task, generation in zip(batch.tasks, generations, strict=True):
        if generation.valid and generation.document is not None:
            made += (
                format_subgraph(_with_contract(block, task.constraints)) for block in generation.document.subgraphs
            )
    document = batch.document
    if made:
        text = "\n\n".join(part.strip("\n") for part in (_text(document), *made) if part.strip("\n"))
        document = parse(text + "\n", path=document.source.path)
    return BranchResults(by_node, document)


def _options(
    batch: BranchBatch, library: Library | None, seed: int | None, sampling: Sampling, on_token: OnToken | None
) -> BatchOptions:
    return {
        "constraints": [task.constraints for task in batch.tasks],
        "priorities": [task.priority for task in batch.tasks],
        "hints": [task.hints for task in batch.tasks],
        "library": library,
        "seed": seed,
        "sampling": sampling,
        "on_token": on_token,
    }


def _prompt(branch: Branch, values: Mapping[str, Data]) -> str:
    try:
        return fill_in(branch.node.prompt_template, values)
    except UsageError as exc:
        raise UsageError(f'the prompt of node "{branch.node.id}": {exc.message}', help=exc.help) from exc


def _text(document: Document) -> str:
    """The document's text as its author wrote it; in the canonical layout where a program made or changed it."""
    written = document.source.text
    return written if parse(written, path=document.source.path) == document else format_document(document)


def _with_contract(block: Subgraph, constraints: Constraints) -> Subgraph:
    """A generated block that says what it reads and writes, so that it can be checked where no caller says it."""
    context = constraints.context
    if block.signature is not None or context is None:
        return block
    inputs = ", ".join(f"{name}: {kind}" for name, kind in context.available_vars.items())
    outputs = ", ".join(f"{name}: any" for name in context.required_outputs)
    signature = parse_signature(f"({inputs}) -> {{{outputs}}}" if outputs else f"({inputs}) -> ()")
    assert isinstance(signature, Signature), "names that templates can read are names of a signature"
    return replace(block, signature=signature)
