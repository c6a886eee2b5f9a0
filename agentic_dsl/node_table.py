"""The node table: the one description of the node types.

A row is a class below, a cell is an attribute declared with `cell`. Parser, checker, formatter, grammar, JSON Schema,
reference docs and prompts read `NODE_TABLE`, which is computed from the rows; none of them lists types or fields again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, cast, get_args

from agentic_dsl.field_spec import FieldKind, FieldSpec, Generated, Slot, cell, field_specs
from agentic_dsl.paths import Reference
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Data, Signature
from agentic_dsl.span import NOWHERE, Span, SpanPath, SpanTable

__all__ = [
    "DEPRECATED_TYPES",
    "GENERATED_TYPES",
    "MERGE_STRATEGIES",
    "NODE_TABLE",
    "ROWS",
    "AnyNode",
    "Assert",
    "Assign",
    "CodeletCall",
    "DslCall",
    "End",
    "Fallible",
    "FieldKind",
    "FieldSpec",
    "Fork",
    "GenerateSubgraph",
    "Generated",
    "Join",
    "MergeStrategy",
    "Node",
    "NodeSpec",
    "Resource",
    "ResourceDeclare",
    "Slot",
    "Start",
    "ToolCall",
    "UnknownNode",
    "WaitFor",
    "cell",
    "field_specs",
    "row_of",
]

MergeStrategy = Literal["error_on_conflict", "last_write_wins", "deep_merge", "array_concat", "array_merge_unique"]
MERGE_STRATEGIES: tuple[str, ...] = get_args(MergeStrategy)

NodeClass: TypeAlias = "type[Node]"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One row of the table.

    Attributes:
        type: the word after ``type:``.
        row: the class of its nodes.
        doc: what the node does, in one sentence.
        fields: its cells in canonical order, common fields included.
        is_end: whether a path of the subgraph may end here.
        reaches_out: whether it reaches outside the graph, which layer-3 libraries may only do through ``/lib``.
        generated: whether generated text may hold nodes of the type.
        has_edges: False for declarations, which stand outside the flow.
    """

    type: str
    row: NodeClass
    doc: str
    fields: tuple[FieldSpec, ...]
    is_end: bool
    reaches_out: bool
    generated: bool
    has_edges: bool

    def field(self, name: str) -> FieldSpec:
        """The cell of an attribute."""
        return next(spec for spec in self.fields if spec.name == name)


# --- the rows --------------------------------------------------------------------------------------------------------

_A, _O = Generated.ALWAYS, Generated.OPTIONAL


@dataclass(frozen=True, slots=True)
class WaitFor:
    """What a node waits for: all of the references, or any of them."""

    references: tuple[Reference, ...]
    mode: Literal["all_of", "any_of"] = "all_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has. Frozen; mappings in fields are treated as frozen.

    Spans, comments and the spelling read are no part of equality: two nodes are equal when they mean the same.
    """

    TYPE: ClassVar[str] = ""
    IS_END: ClassVar[bool] = False
    REACHES_OUT: ClassVar[bool] = False
    GENERATED: ClassVar[bool] = True
    HAS_EDGES: ClassVar[bool] = True

    id: str = cell(FieldKind.ID, "name of the node, unique in its subgraph", required=True, generated=_A, slot=Slot.ID)
    signature: Signature | None = cell(FieldKind.SIGNATURE, "contract of this node", slot=Slot.SIGNATURE)
    permissions: tuple[Permission, ...] = cell(
        FieldKind.PERMISSIONS, "what the node may reach, at most what its subgraph may", slot=Slot.PERMISSIONS
    )
    context_merge_policy: Mapping[str, str] = cell(
        FieldKind.VALUES, "merge strategy by context key pattern", slot=Slot.NOTES
    )
    expected_output: Data = cell(FieldKind.DATA, "example of the result, for people and training", slot=Slot.NOTES)
    curriculum_level: Data = cell(FieldKind.DATA, "difficulty, for training", slot=Slot.NOTES)
    metadata: Mapping[str, Data] = cell(FieldKind.VALUES, "free notes for tools", slot=Slot.METADATA)
    wait_for: WaitFor | None = cell(FieldKind.WAIT, "nodes to wait for", template=True, slot=Slot.WAIT_FOR)
    on_success: str | None = cell(
        FieldKind.ARCHIVE, 'archive_to("<path>"): where to keep the result', slot=Slot.HANDLER
    )
    on_error: Reference | None = cell(
        FieldKind.REFERENCE, "where to go when the node fails", template=True, slot=Slot.HANDLER, jump=True
    )
    next: tuple[Reference, ...] = cell(
        FieldKind.REFERENCES,
        "library calls, then one end or the nodes to go to",
        generated=_A,
        template=True,
        slot=Slot.NEXT,
    )

    extra: Mapping[str, Data] = field(default_factory=dict)
    """Keys that the type does not have, kept so that nothing is lost."""
    spelling: str | None = field(default=None, compare=False)
    """The type as written, where that was an accepted spelling."""
    span: Span = field(default=NOWHERE, compare=False)
    spans: SpanTable = field(default_factory=SpanTable, compare=False, repr=False)
    comments: Mapping[SpanPath, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """YAML comments (without ``#``), by the canonical path of the key that follows them."""

    @property
    def type(self) -> str:
        """The word after ``type:``."""
        return self.TYPE

    @property
    def spec(self) -> NodeSpec:
        """The node's row."""
        return NODE_TABLE[self.TYPE]

    @property
    def writes(self) -> tuple[str, ...]:
        """Context keys that the node writes when it succeeds, each once, in order."""
        written: dict[str, None] = {}
        for name in _WRITING_FIELDS.get(self.TYPE, ()):
            written.update(dict.fromkeys(getattr(self, name)))
        return tuple(written)

    def at(self, *path: str | int) -> Span:
        """The span of the value at a canonical path, else of its nearest ancestor, else of the node."""
        return self.spans.value(path) or self.span

    def key_at(self, *path: str | int) -> Span:
        """The span of the key at a canonical path, else as `at`."""
        return self.spans.key(path) or self.span


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallible(Node):
    """A node whose failure generated text may handle."""

    on_error: Reference | None = cell(
        FieldKind.REFERENCE,
        "where to go when the node fails",
        generated=_O,
        template=True,
        slot=Slot.HANDLER,
        jump=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Node):
    """Does nothing and goes on."""

    TYPE = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Node):
    """Ends the subgraph."""

    TYPE = "end"
    IS_END = True

    termination_mode: Literal["hard", "soft"] = cell(
        FieldKind.CHOICE,
        "soft returns to the caller, hard ends the run",
        at=("metadata", "termination_mode"),
        choices=("hard", "soft"),
        default="hard",
        generated=_O,
        slot=Slot.METADATA,
    )
    output_keys: tuple[str, ...] = cell(
        FieldKind.KEYS, "the context keys to hand back", generated=_O, slot=Slot.OUTPUT_KEYS
    )
    next: tuple[Reference, ...] = cell(FieldKind.REFERENCES, "an end has none", slot=Slot.NEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign(Fallible):
    """Writes values to the context."""

    TYPE = "assign"

    assign: Mapping[str, Data] = cell(
        FieldKind.VALUES, "context key to value", required=True, generated=_A, template=True, writes=True
    )
    output_keys: tuple[str, ...] = cell(
        FieldKind.KEYS, "the context keys written", generated=_O, slot=Slot.OUTPUT_KEYS, writes=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(Fallible):
    """Calls a registered tool."""

    TYPE = "tool_call"
    REACHES_OUT = True

    tool: str = cell(FieldKind.NAME, "name of the tool", required=True, generated=_A, template=True)
    arguments: Mapping[str, Data] | str = cell(FieldKind.VALUES, "argument name to value", generated=_O, template=True)
    output_keys: tuple[str, ...] = cell(
        FieldKind.KEYS,
        "one key: the whole result; several: the result's fields of those names",
        required=True,
        generated=_A,
        slot=Slot.OUTPUT_KEYS,
        writes=True,
        alternative="output_mapping",
    )
    output_mapping: Mapping[str, Data] = cell(
        FieldKind.VALUES,
        "context key to path in the result",
        generated=_O,
        template=True,
        slot=Slot.OUTPUT_MAPPING,
        writes=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeletCall(Fallible):
    """Runs code in a sandbox."""

    TYPE = "codelet_call"
    REACHES_OUT = True

    runtime: str = cell(FieldKind.NAME, "name of the sandboxed runtime", required=True, generated=_A)
    code: str = cell(FieldKind.TEXT, "source code to run", required=True, generated=_A)
    security: Mapping[str, Data] = cell(FieldKind.VALUES, "limits of the sandbox")
    output_keys: tuple[str, ...] = cell(
        FieldKind.KEYS, "the context keys written", generated=_O, slot=Slot.OUTPUT_KEYS, writes=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DslCall(Fallible):
    """Asks a language model and writes its text to the context."""

    TYPE = "dsl_call"
    REACHES_OUT = True

    prompt_template: str = cell(FieldKind.TEXT, "the prompt", required=True, generated=_A, template=True)
    llm_tool_name: str = cell(FieldKind.NAME, "name of the registered model", required=True, generated=_A)
    llm_params: Mapping[str, Data] = cell(
        FieldKind.PARAMETERS,
        "sampling parameters",
        generated=_O,
        parameters={
            "temperature": "number",
            "max_tokens": "integer",
            "top_p": "number",
            "n_ctx": "integer",
            "n_threads": "integer",
            "model": "string",
            "seed": "integer",
        },
    )
    output_keys: tuple[str, ...] = cell(
        FieldKind.KEYS,
        "the context keys written",
        required=True,
        generated=_A,
        slot=Slot.OUTPUT_KEYS,
        writes=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert(Node):
    """Verifies a condition."""

    TYPE = "assert"

    condition: str = cell(FieldKind.TEXT, "template that must be true", required=True, generated=_A, template=True)
    on_failure: Reference | None = cell(
        FieldKind.REFERENCE,
        "where to go when the condition is false",
        generated=_O,
        template=True,
        slot=Slot.HANDLER,
        jump=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork(Node):
    """Starts its branches in parallel."""

    TYPE = "fork"

    branches: tuple[Reference, ...] = cell(
        FieldKind.REFERENCES,
        "the nodes to start",
        at=("fork", "branches"),
        required=True,
        generated=_A,
        template=True,
    )
    next: tuple[Reference, ...] = cell(FieldKind.REFERENCES, "accepted and dropped", template=True, slot=Slot.NEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Node):
    """Waits for its sources and merges what they wrote."""

    TYPE = "join"

    sources: tuple[Reference, ...] = cell(
        FieldKind.REFERENCES,
        "the nodes that lead here, all of them",
        at=("join", "wait_for"),
        required=True,
        generated=_A,
        template=True,
    )
    merge_strategy: str | None = cell(
        FieldKind.CHOICE,
        "what to do when two sources wrote the same key",
        at=("join", "merge_strategy"),
        choices=MERGE_STRATEGIES,
        default=None,
        generated=_O,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSubgraph(Fallible):
    """Asks a language model for a subgraph."""

    TYPE = "generate_subgraph"
    REACHES_OUT = True

    prompt_template: str = cell(FieldKind.TEXT, "what the subgraph must do", required=True, generated=_A, template=True)
    signature_validation: Literal["strict", "warn", "ignore"] = cell(
        FieldKind.CHOICE,
        "what to do when the subgraph breaks its signature",
        choices=("strict", "warn", "ignore"),
        default="strict",
        generated=_O,
    )
    namespace_prefix: str | None = cell(
        FieldKind.TEXT, "path under /dynamic/ where the subgraph goes", generated=_O, template=True
    )
    output_keys: tuple[str, ...] = cell(
        FieldKind.KEYS,
        "the context keys written",
        required=True,
        generated=_A,
        slot=Slot.OUTPUT_KEYS,
        writes=True,
    )
    on_signature_violation: Reference | None = cell(
        FieldKind.REFERENCE,
        "where to go when the subgraph breaks its signature",
        template=True,
        slot=Slot.HANDLER,
        jump=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Node):
    """Declares a resource of this subgraph."""

    TYPE = "resource"
    GENERATED = False
    HAS_EDGES = False

    resource_type: str = cell(
        FieldKind.CHOICE,
        "what sort of resource",
        required=True,
        choices=("file", "postgres", "mysql", "sqlite", "api_endpoint", "vector_store", "custom"),
    )
    uri: str = cell(FieldKind.TEXT, "where it is", required=True, template=True)
    scope: Literal["global", "local"] = cell(
        FieldKind.CHOICE, "who sees it", choices=("global", "local"), default="global"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDeclare(Node):
    """Declares what a document may use; only as the block ``/__meta__/resources``."""

    TYPE = "resource_declare"
    GENERATED = False
    HAS_EDGES = False

    resources: Data = cell(FieldKind.DATA, "the entries", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNode(Node):
    """A node of a type that the language lacks; its own fields are in `extra`. Not a row of the table."""

    TYPE = "unknown"
    GENERATED = False

    type_name: str = ""

    @property
    def type(self) -> str:
        """The word that was written."""
        return self.type_name

    @property
    def spec(self) -> NodeSpec:
        """What is known of it: the common fields."""
        return _UNKNOWN_SPEC


AnyNode = (
    Start
    | End
    | Assign
    | ToolCall
    | CodeletCall
    | DslCall
    | Assert
    | Fork
    | Join
    | GenerateSubgraph
    | Resource
    | ResourceDeclare
    | UnknownNode
)
"""The closed union to `match` on, ending in `assert_never`."""

# --- the table -------------------------------------------------------------------------------------------------------


def _spec(row: type[Node]) -> NodeSpec:
    return NodeSpec(
        type=row.TYPE,
        row=row,
        doc=(row.__doc__ or "").split("\n")[0],
        fields=field_specs(row),
        is_end=row.IS_END,
        reaches_out=row.REACHES_OUT,
        generated=row.GENERATED,
        has_edges=row.HAS_EDGES,
    )


ROWS: tuple[type[AnyNode], ...] = (
    Start,
    End,
    Assign,
    ToolCall,
    CodeletCall,
    DslCall,
    Assert,
    Fork,
    Join,
    GenerateSubgraph,
    Resource,
    ResourceDeclare,
)

NODE_TABLE: Mapping[str, NodeSpec] = {row.TYPE: _spec(row) for row in ROWS}
"""Type name → row, in the order of ``language.md`` §3."""

_UNKNOWN_SPEC = _spec(UnknownNode)

GENERATED_TYPES: tuple[str, ...] = tuple(spec.type for spec in NODE_TABLE.values() if spec.generated)
"""The types that generated text may hold."""

_WRITING_FIELDS: dict[str, tuple[str, ...]] = {
    spec.type: tuple(f.name for f in spec.fields if f.writes) for spec in NODE_TABLE.values()
}

DEPRECATED_TYPES: Mapping[str, tuple[str, Mapping[str, Data]]] = {
    "llm_call": ("dsl_call", {"llm_tool_name": "llama-default"}),
    "llm_generate_dsl": ("generate_subgraph", {}),
}
"""Old type name → the type it means and the fields it implies."""


def row_of(type_name: str) -> type[AnyNode] | None:
    """The class of a type, None where the language has no such type."""
    spec = NODE_TABLE.get(type_name)
    return cast("type[AnyNode]", spec.row) if spec else None
