"""AST → YAML-shaped data: the keys of every block and node in canonical order, values as YAML has them.

The formatter prints this data and the JSON view hands it out, so the two cannot differ. Words that the layout prints
without quotes are `Bare`. Fields equal to their default, empty mappings and empty lists are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from agentic_dsl.ast import (
    BUDGET_KEYS,
    RESOURCE_FIELDS,
    UNLIMITED,
    BlockBase,
    Contract,
    Meta,
    ResourceEntry,
    Resources,
    Subgraph,
)
from agentic_dsl.format_contracts import permission_data, requirement_data, signature_data
from agentic_dsl.format_values import Bare
from agentic_dsl.node_table import NODE_TABLE, AnyNode, FieldKind, FieldSpec, NodeSpec, Slot, WaitFor
from agentic_dsl.paths import Version
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Data, Signature, Stability

# --- nodes -----------------------------------------------------------------------------------------------------------


def node_data(node: AnyNode) -> dict[str, Data]:
    """A node of a ``nodes:`` list: id, type, own fields, other keys, common fields."""
    ids, own, common = _BY_SLOT.get(node.TYPE) or _by_slot(node.spec)
    data: dict[str, Data] = {}
    _put_fields(data, node, ids)
    if node.type:  # a node may lack its type, and a key without a value would say something else
        _put(data, ("type",), Bare(node.type))
    _put_fields(data, node, own)
    for key, value in node.extra.items():
        _put(data, (key,), value)
    _put_fields(data, node, common)
    return data


def _put_fields(data: dict[str, Data], node: AnyNode, fields: tuple[FieldSpec, ...]) -> None:
    for spec in fields:
        value = getattr(node, spec.name)
        if value is not spec.default and not _is_absent(spec, value):
            _put(data, spec.path, field_data(spec, value))


def _put(data: dict[str, Any], path: tuple[str, ...], value: Data) -> None:
    """Adds an entry to a mapping of mappings; what meets on the same path is merged, the first one wins."""
    *outer, key = path
    for name in outer:
        inner = data.get(name)
        data[name] = data = dict(inner) if isinstance(inner, Mapping) else {}
    if key not in data:
        data[key] = value
    elif isinstance(held := data[key], Mapping) and isinstance(value, Mapping):
        data[key] = {**held, **{name: item for name, item in value.items() if name not in held}}


def _by_slot(row: NodeSpec) -> tuple[tuple[FieldSpec, ...], ...]:
    """The fields of a type that stand before ``type``, behind it, and behind the keys that are not known."""
    before = tuple(spec for spec in row.fields if spec.slot <= Slot.ID)
    own = tuple(spec for spec in row.fields if Slot.ID < spec.slot <= Slot.OWN)
    return before, own, tuple(spec for spec in row.fields if spec.slot > Slot.OWN)


_BY_SLOT = {name: _by_slot(row) for name, row in NODE_TABLE.items()}


def _is_absent(spec: FieldSpec, value: Any) -> bool:
    """Whether a field says no more than its absence does."""
    if not value:
        if value is None or (value == "" and spec.kind is FieldKind.ID):
            return True
        if spec.kind is not FieldKind.DATA and isinstance(value, (tuple, Mapping)):
            return True
    return type(value) is type(spec.default) and bool(value == spec.default)


def field_data(spec: FieldSpec, value: Any) -> Data:
    """The value of one field, by its kind."""
    match spec.kind:
        case FieldKind.ID | FieldKind.NAME | FieldKind.CHOICE:
            return Bare(value)
        case FieldKind.TEXT | FieldKind.INTEGER | FieldKind.DATA | FieldKind.VALUES:
            return value  # type: ignore[no-any-return]  # each of them holds plain data
        case FieldKind.PARAMETERS:
            return _in_order(value, tuple(spec.parameters))
        case FieldKind.KEYS:
            return list(value)
        case FieldKind.REFERENCE:
            return str(value)
        case FieldKind.REFERENCES:
            return [str(reference) for reference in value]
        case FieldKind.WAIT:
            return _wait_data(value)
        case FieldKind.PERMISSIONS:
            return [permission_data(permission) for permission in value]
        case FieldKind.SIGNATURE:
            return signature_data(value)
        case FieldKind.ARCHIVE:
            return f'archive_to("{value}")'
        case _:
            assert_never(spec.kind)


def _wait_data(wait: WaitFor) -> Data:
    names = [str(reference) for reference in wait.references]
    return names if wait.mode == "all_of" else {wait.mode: names}


def _in_order(mapping: Any, first: tuple[str, ...]) -> Data:
    """A mapping with its known keys first, in their order; whatever else was written in its place is kept."""
    if not isinstance(mapping, Mapping):
        return mapping  # type: ignore[no-any-return]  # one template for the whole mapping
    known = {key: mapping[key] for key in first if key in mapping}
    return known | {key: value for key, value in mapping.items() if key not in known}


# --- blocks ----------------------------------------------------------------------------------------------------------


def block_data(block: Meta | Resources | Subgraph | Contract) -> dict[str, Data]:
    """A block. The nodes of a subgraph are the value of its ``nodes``; a single-node block is its node."""
    match block:
        case Meta():
            return dict(_meta_entries(block))
        case Resources():
            return dict(_resources_entries(block))
        case Contract():
            return dict(_contract_entries(block))
        case Subgraph(single=True, nodes=(node,)):
            return _single_data(block, node)
        case Subgraph():
            return head_data(block) | {"nodes": [node_data(node) for node in block.nodes]}
        case _:
            assert_never(block)


def head_data(subgraph: Subgraph) -> dict[str, Data]:
    """Everything of a subgraph that is printed before its nodes."""
    entry = {} if subgraph.entry is None else {"entry": Bare(subgraph.entry)}
    return {"graph_type": Bare("subgraph"), **dict(_contract_entries(subgraph)), **entry, **_extra(subgraph)}


def _single_data(subgraph: Subgraph, node: AnyNode) -> dict[str, Data]:
    """The block's own keys stand where the node's keys of the same sort would."""
    data = node_data(node)
    data.pop("id", None)
    shown = {"type": data.pop("type")} if "type" in data else {}
    head = head_data(subgraph)
    del head["graph_type"]
    return shown | head | {key: value for key, value in data.items() if key not in head}


def _contract_entries(block: Subgraph | Contract) -> Iterator[tuple[str, Data]]:
    yield from _signature_entries(block.signature, block.version, block.stability)
    if isinstance(block, Subgraph) and block.requires:
        yield "requires", [requirement_data(requirement) for requirement in block.requires]
    yield from _permissions_entry(block.permissions)
    if isinstance(block, Contract):
        yield from _extra(block).items()


def _signature_entries(
    signature: Signature | None, version: Version | None, stability: Stability | None
) -> Iterator[tuple[str, Data]]:
    if signature is not None:
        yield "signature", signature_data(signature)
    if version is not None:
        yield "version", str(version)
    if stability is not None:
        yield "stability", Bare(stability.value)


def _permissions_entry(permissions: tuple[Permission, ...]) -> Iterator[tuple[str, Data]]:
    if permissions:
        yield "permissions", [permission_data(permission) for permission in permissions]


def _meta_entries(meta: Meta) -> Iterator[tuple[str, Data]]:
    if meta.version is not None:
        yield "version", meta.version
    # Stated even where it is the default: a block needs a key, and a reader wants to know.
    yield "mode", Bare(meta.mode)
    if meta.entry_point is not None:
        yield "entry_point", str(meta.entry_point)
    limits = {key: getattr(meta.execution_budget, key) for key in BUDGET_KEYS}
    if budget := {key: limit for key, limit in limits.items() if limit != UNLIMITED}:
        yield "execution_budget", budget
    if meta.context_merge_strategy is not None:
        yield "context_merge_strategy", Bare(meta.context_merge_strategy)
    yield from _extra(meta).items()


def _resources_entries(block: Resources) -> Iterator[tuple[str, Data]]:
    yield "type", Bare("resource_declare")
    yield from _extra(block).items()
    yield "resources", [resource_data(entry) for entry in block.entries]


def resource_data(entry: ResourceEntry) -> dict[str, Data]:
    """One entry of ``/__meta__/resources``."""
    name: dict[str, Data] = {} if entry.name is None else {"name": Bare(entry.name)}
    options = _in_order(entry.options, RESOURCE_FIELDS.get(entry.type, ()))
    assert isinstance(options, Mapping)
    return {"type": Bare(entry.type), **name, **options}


def _extra(block: BlockBase) -> dict[str, Data]:
    return dict(block.extra)
