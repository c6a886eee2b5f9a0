"""The keys of each kind of block, declared with the cells of the node table, so that the same readers serve them.

One class a kind; only their cells are read, nothing makes instances of them.
"""

# ruff: noqa: RUF009  `cell` declares an attribute, like dataclasses.field

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentic_dsl.ast import BUDGET_KEYS, MODES
from agentic_dsl.compiler.parse.contract_values import read_stability, read_version
from agentic_dsl.compiler.parse.nodes import ReadingTable, reading_table
from agentic_dsl.compiler.parse.permission_values import read_requirements
from agentic_dsl.compiler.parse.readers import Reader
from agentic_dsl.compiler.parse.resource_entries import read_entries
from agentic_dsl.compiler.parse.values import read_loose_text
from agentic_dsl.node_table import MERGE_STRATEGIES, FieldKind, cell


@dataclass(frozen=True, kw_only=True)
class MetaKeys:
    """The keys of ``/__meta__``."""

    version: Any = cell(FieldKind.TEXT, "version of the language")
    mode: Any = cell(FieldKind.CHOICE, "dev or prod", choices=MODES)
    entry_point: Any = cell(FieldKind.REFERENCE, "where the application begins")
    execution_budget: Any = cell(
        FieldKind.PARAMETERS, "limits of one run", parameters=dict.fromkeys(BUDGET_KEYS, "integer")
    )
    context_merge_strategy: Any = cell(FieldKind.CHOICE, "default merge strategy", choices=MERGE_STRATEGIES)


@dataclass(frozen=True, kw_only=True)
class ResourcesKeys:
    """The keys of ``/__meta__/resources``."""

    type: Any = cell(FieldKind.CHOICE, "resource_declare", choices=("resource_declare",))
    resources: Any = cell(FieldKind.DATA, "the entries", required=True)


@dataclass(frozen=True, kw_only=True)
class ContractKeys:
    """The keys of a library entry that the executor implements."""

    signature: Any = cell(FieldKind.SIGNATURE, "what it takes and gives")
    permissions: Any = cell(FieldKind.PERMISSIONS, "what it may reach")
    version: Any = cell(FieldKind.DATA, "version of the library entry")
    stability: Any = cell(FieldKind.DATA, "what its users may rely on")


@dataclass(frozen=True, kw_only=True)
class SingleKeys(ContractKeys):
    """The keys that a block has beside those of its only node."""

    requires: Any = cell(FieldKind.DATA, "library entries that it needs")


@dataclass(frozen=True, kw_only=True)
class SubgraphKeys(SingleKeys):
    """The keys of a subgraph."""

    graph_type: Any = cell(FieldKind.CHOICE, "subgraph", choices=("subgraph",))
    entry: Any = cell(FieldKind.ID, "id of the first node")
    nodes: Any = cell(FieldKind.DATA, "the nodes")


_READERS: dict[str, Reader] = {
    "version": read_version,
    "stability": read_stability,
    "requires": read_requirements,
}
"""Keys of blocks whose kind the node table does not have."""


def _table(keys: type, **readers: Reader) -> ReadingTable:
    table = reading_table(keys)
    own = _READERS | readers
    cells = {name: cell._replace(read=own.get(name, cell.read)) for name, cell in table.cells.items()}
    return table._replace(cells=cells, known=tuple(cells))


META = _table(MetaKeys, version=read_loose_text)
RESOURCES = _table(ResourcesKeys, resources=read_entries)
CONTRACT = _table(ContractKeys)
SINGLE = _table(SingleKeys)
SUBGRAPH = _table(SubgraphKeys)
