"""Documents and their blocks: what a text means, typed and frozen.

A `Document` is a tuple of blocks in source order. Prose between blocks stays with the block that follows it, so
that formatting and fixes lose nothing. Nodes are rows of the node table (`agentic_dsl.node_table`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import MERGE_STRATEGIES, AnyNode
from agentic_dsl.paths import Path, Reference, Version, VersionRange
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Data, Signature, Stability
from agentic_dsl.span import NOWHERE, Source, Span, SpanPath, SpanTable

Mode = Literal["dev", "prod"]
MODES: tuple[Mode, ...] = get_args(Mode)

UNLIMITED = -1
"""The budget value that means no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionBudget:
    """Limits of one run; -1 is unlimited. The attributes are the YAML keys."""

    max_nodes: int = UNLIMITED
    max_llm_calls: int = UNLIMITED
    max_duration_sec: int = UNLIMITED
    max_subgraph_depth: int = UNLIMITED
    max_snapshots: int = UNLIMITED
    snapshot_max_size_kb: int = UNLIMITED


BUDGET_KEYS: tuple[str, ...] = tuple(f.name for f in fields(ExecutionBudget))


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of ``requires``: a library path and the range of versions that will do (None: any)."""

    path: Path
    range: VersionRange | None = None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockBase:
    """What every block has.

    Attributes:
        path: absolute; a ``/self/…`` heading is resolved against the block before it.
        prose: the Markdown between the block before and this one's heading, without blank lines around it.
        heading_note: text after the path in the heading, kept and ignored.
        extra: keys that the kind does not have, kept so that nothing is lost.
        span: heading to closing fence. `path_span` is the path in the heading.
        comments: YAML comments by the key that follows; those after the last key under ``()``.
    """

    path: Path
    prose: str = ""
    heading_note: str = ""
    extra: Mapping[str, Data] = field(default_factory=dict)
    span: Span = field(default=NOWHERE, compare=False)
    path_span: Span = field(default=NOWHERE, compare=False)
    spans: SpanTable = field(default_factory=SpanTable, compare=False, repr=False)
    comments: Mapping[SpanPath, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)

    def at(self, *path: str | int) -> Span:
        """The span of the value at a canonical path, else of its nearest ancestor, else of the block's path."""
        return self.spans.value(path) or self.path_span

    def key_at(self, *path: str | int) -> Span:
        """The span of the key at a canonical path, else as `at`."""
        return self.spans.key(path) or self.path_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta(BlockBase):
    """``/__meta__``: makes a document an application."""

    version: str | None = None
    mode: Mode = "prod"
    entry_point: Reference | None = None
    execution_budget: ExecutionBudget = field(default_factory=ExecutionBudget)
    context_merge_strategy: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceEntry:
    """One entry of ``/__meta__/resources``: a row of `RESOURCE_FIELDS` by its ``type``."""

    type: str
    name: str | None
    options: Mapping[str, Data]
    span: Span = field(default=NOWHERE, compare=False)


RESOURCE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "tool": ("name", "scope", "capabilities", "rate_limit", "description", "parameters", "returns"),
    "runtime": ("name", "allow_imports"),
    "network": ("outbound",),
    "memory": ("backends",),
    "knowledge_graph": ("capabilities",),
    "generate_subgraph": ("max_depth",),
    "reasoning": ("capabilities",),
}
"""Resource type → the keys of an entry beside ``type``."""

REASONING_CAPABILITIES: tuple[str, ...] = (
    "text_generation",
    "structured_generate",
    "kv_continuation",
    "stream_output",
    "speculative_decode",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(BlockBase):
    """``/__meta__/resources``: what the document may use."""

    entries: tuple[ResourceEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph(BlockBase):
    """A graph of nodes.

    Attributes:
        nodes: in source order.
        entry: the id of the first node, as written; see `entry_id`.
        version: version of a library entry (beside or inside its signature).
        single: the block is its only node, and the block's path is the node's path.
    """

    nodes: tuple[AnyNode, ...]
    signature: Signature | None = None
    requires: tuple[Requirement, ...] = ()
    permissions: tuple[Permission, ...] = ()
    entry: str | None = None
    version: Version | None = None
    stability: Stability | None = None
    single: bool = False

    @property
    def entry_id(self) -> str | None:
        """The id of the node that runs first: ``entry``, else the start node, else the first; None without nodes."""
        if self.entry is not None:
            return self.entry
        for node in self.nodes:
            if node.type == "start":
                return node.id
        return next((node.id for node in self.nodes if node.spec.has_edges), None)

    def node_path(self, node: AnyNode | str) -> str:
        """The full path of a node of this subgraph, as text."""
        name = node if isinstance(node, str) else node.id
        return self.path.text if self.single else f"{self.path.text}/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(BlockBase):
    """A library entry that the executor implements: a signature and nothing else."""

    signature: Signature
    permissions: tuple[Permission, ...] = ()
    version: Version | None = None
    stability: Stability | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque(BlockBase):
    """A block that could not be read; its text is kept, the diagnostics say why."""

    body: str = ""
    path: Path | None = None  # type: ignore[assignment]  # a heading may lack its path


Block = Meta | Resources | Subgraph | Contract | Opaque
"""The closed union of blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed text.

    Attributes:
        blocks: in source order.
        epilogue: the Markdown after the last block.
        source: the text that the spans point into.
        diagnostics: what the parser found; `check` adds what the rules find.
    """

    blocks: tuple[Block, ...] = ()
    epilogue: str = ""
    source: Source = field(default_factory=lambda: Source(""), compare=False, repr=False)
    diagnostics: tuple[Diagnostic, ...] = field(default=(), compare=False)

    @property
    def meta(self) -> Meta | None:
        """The ``/__meta__`` block; a document that has one is an application."""
        return next((b for b in self.blocks if isinstance(b, Meta)), None)

    @property
    def resources(self) -> Resources | None:
        """The ``/__meta__/resources`` block."""
        return next((b for b in self.blocks if isinstance(b, Resources)), None)

    @property
    def subgraphs(self) -> Iterator[Subgraph]:
        """The blocks that hold nodes."""
        return (b for b in self.blocks if isinstance(b, Subgraph))

    @property
    def mode(self) -> Mode:
        """The mode of the application, ``prod`` where nothing says otherwise."""
        return self.meta.mode if self.meta else "prod"

    @property
    def has_errors(self) -> bool:
        """Whether the parser found an error."""
        return any(d.is_error for d in self.diagnostics)


__all__ = [
    "BUDGET_KEYS",
    "MERGE_STRATEGIES",
    "MODES",
    "REASONING_CAPABILITIES",
    "RESOURCE_FIELDS",
    "UNLIMITED",
    "AnyNode",
    "Block",
    "BlockBase",
    "Contract",
    "Document",
    "ExecutionBudget",
    "Meta",
    "Mode",
    "Opaque",
    "Requirement",
    "ResourceEntry",
    "Resources",
    "Subgraph",
]
