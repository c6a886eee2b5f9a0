"""The contract of what is generated for one branch: what all share, narrowed by its node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentic_dsl.ast import UNLIMITED
from agentic_dsl.compiler.availability import Availability, compute_availability
from agentic_dsl.compiler.parse.permission import parse_permission
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.constraints import KEY, Constraints, ContextSignature, ToolSpec
from agentic_dsl.errors import ConstraintError, UsageError
from agentic_dsl.format import format_permission
from agentic_dsl.permission import Permission
from agentic_dsl.runtime.batching.branch_order import Branch, Branches
from agentic_dsl.runtime.batching.template_text import fill_in
from agentic_dsl.signature import Data

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library

_DYNAMIC = "/dynamic"


@dataclass(frozen=True, slots=True)
class Contracts:
    """What the contracts of a batch have in common, and the paths that are taken; used once, node by node.

    Attributes:
        found: the nodes and their document.
        shared: what all answers share.
        values: what prefixes read.
        available: what each node may read, these values among it.
        max_nodes: the most nodes of one answer, so that all together keep the document's budget.
        taken: paths of blocks that there are, or will be.
    """

    found: Branches
    shared: Constraints
    values: Mapping[str, Data]
    available: Availability
    max_nodes: int
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, found: Branches, constraints: Constraints | None, library: Library | None, values: Mapping[str, Data]
    ) -> Contracts:
        """Reads the document's budget.

        Raises:
            ConstraintError: nothing may be generated.
        """
        document = found.context.document
        shared = constraints or Constraints.from_document(document, library=library)
        if found.branches and shared.max_subgraph_depth < 1:
            raise ConstraintError(
                f'node "{found.branches[0].node.id}" generates a subgraph, but max_subgraph_depth is 0',
                help="allow a depth of at least 1",
            )
        share = _share(found, shared.max_nodes)
        taken = {str(block.path) for block in document.blocks if block.path is not None}
        known = shared.context.available_vars if shared.context else ()
        available = compute_availability(found.context.graph, context=(*values, *known), broken=found.context.broken)
        return cls(found, shared, values, available, share, taken)

    def constraints(self, branch: Branch) -> Constraints:
        """The contract of one branch.

        Raises:
            ConstraintError: its path is taken, or no path of generated blocks; the contract contradicts itself.
            UsageError: its prefix reads what the context does not hold.
        """
        held = branch.node.permissions or branch.place.subgraph.permissions
        changes: dict[str, Any] = {
            "path": self._path(branch),
            "context": self._context(branch),
            "max_nodes": self.max_nodes,
            "min_nodes": min(self.shared.min_nodes, self.max_nodes),
            "allow_free_text": False,  # a branch is a block, whatever its document might have been
            "max_subgraph_depth": _depth(held, self.shared.max_subgraph_depth),
            "permissions": _permissions(held, self.shared.permissions),
            "tools": _tools(held, self.shared.tools),
        }
        own = {name: getattr(self.shared, name) for name in Constraints.model_fields}
        return Constraints(**own | changes)

    def _path(self, branch: Branch) -> str:
        """Below the node's prefix, by its id; by its block's path too where that is taken."""
        prefix, node = branch.node.namespace_prefix or _DYNAMIC, branch.node
        try:
            prefix = fill_in(prefix, self.values).rstrip("/")
        except UsageError as exc:
            raise UsageError(f'the namespace_prefix of node "{node.id}": {exc.message}', help=exc.help) from exc
        # The path of a block that is one node ends with the node's id already.
        longer = "" if branch.place.subgraph.single else f"/{node.id}"
        for path in (f"{prefix}/{node.id}", f"{prefix}{branch.place.subgraph.path}{longer}"):
            if path not in self.taken:
                self.taken.add(path)
                return path
        raise ConstraintError(
            f'the document has a block "{prefix}/{node.id}" already, where node "{node.id}" generates',
            help="drop the block, or give the node another namespace_prefix",
        )

    def _context(self, branch: Branch) -> ContextSignature:
        """What is available at the node, by the rules of the language, and what it has to bring."""
        known = self.shared.context.available_vars if self.shared.context else {}
        at = self.available.at[branch.place.number]
        if at < 0:  # behind a library call of which nothing is known: what was there at the start, for sure
            at = self.available.begin[branch.place.block]
        types = {**dict.fromkeys(self.available.names.of(at), "any"), **_input_types(branch)}
        available = {
            name: known.get(name, type_name)
            for name, type_name in types.items()
            if KEY.fullmatch(name) and self.available.names.has(at, name)
        }
        return ContextSignature(available_vars=available, required_outputs=branch.node.output_keys)


def _input_types(branch: Branch) -> dict[str, str]:
    signature = branch.place.subgraph.signature
    return {parameter.name: str(parameter.type) for parameter in signature.inputs} if signature else {}


def _share(found: Branches, most: int) -> int:
    """How many nodes each answer may have, so that the document with all of them keeps its budget."""
    document, count = found.context.document, len(found.branches)
    budget = document.meta.execution_budget.max_nodes if document.meta else UNLIMITED
    if budget < 0 or not count:
        return most
    left = budget - len(found.context.graph.places)
    if left < count:
        raise ConstraintError(
            f"the document's budget leaves {max(left, 0)} nodes for {count} branches",
            help="raise execution_budget.max_nodes in /__meta__",
        )
    return min(most, left // count)


def _depth(held: tuple[Permission, ...], depth: int) -> int:
    """One level less than what the document has left, and than each permission that limits it."""
    limits = [permission.options.get("max_depth") for permission in held if permission.kind == "generate_subgraph"]
    return max(min([depth, *(limit for limit in limits if isinstance(limit, int) and limit >= 0)]) - 1, 0)


def _permissions(held: tuple[Permission, ...], granted: tuple[str, ...]) -> tuple[str, ...]:
    """What the node, or else its block, has; of what the caller grants, only what these cover."""
    if not granted:
        return tuple(dict.fromkeys(map(format_permission, held)))
    if not held:
        return granted
    parsed = {text: parse_permission(text) for text in granted}
    return tuple(
        text
        for text, asked in parsed.items()
        if isinstance(asked, Problem) or any(permission.covers(asked) for permission in held)
    )


def _tools(held: tuple[Permission, ...], tools: tuple[ToolSpec, ...] | None) -> tuple[ToolSpec, ...] | None:
    """The tools that the permissions leave, where they name any."""
    named = {permission.name for permission in held if permission.kind == "tool"}
    if tools is None or not named or None in named:
        return tools
    return tuple(tool for tool in tools if tool.name in named)
