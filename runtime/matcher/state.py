"""The document so far: what the tracker knows at one byte, as an immutable value.

`Draft` is the answer with the block that is being written, `NodeDraft` the node that is. Transitions
give new values; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agentic_dsl.compiler.checks.catalogue import lacks
from agentic_dsl.runtime.matcher.blocks import Block, can_close
from agentic_dsl.runtime.matcher.catalogue import PlannedTool
from agentic_dsl.runtime.matcher.context import Env, conflicts, intersect, unite
from agentic_dsl.runtime.matcher.guards import ALWAYS, Guard, failed, merge, succeeded
from agentic_dsl.runtime.matcher.plan import END_ID, Plan, PlannedCall

ANY_NAME = "*"
"""Stands for a permission of a kind without a name, which limits nothing."""


class InEdge(NamedTuple):
    """An edge into a node that is named and not yet declared.

    Attributes:
        source: number of the node that it comes from.
        source_id: its id.
        flow: whether it is taken on success.
    """

    source: int
    source_id: str
    flow: bool
    guard: Guard
    env: Env


class NodeDraft(NamedTuple):
    """The node that is being written.

    Attributes:
        env: A(n), what its templates may read.
        written: the names that it writes, in order.
        result_keys: those of them in ``output_keys``.
        splits: whether it has a handler after which its success is a condition.
        listed: nodes named in the list that is being written.
        delivered: what the list's next item gets: ``env``, ``written`` and the outputs of the calls before it.
        calls: the number of calls in the list so far.
        keys: keys of the mapping or list that is being written.
    """

    id: str
    number: int
    type: str = ""
    edges: tuple[InEdge, ...] = ()
    env: Env = Env({})
    guard: Guard = ALWAYS
    tool: PlannedTool | None = None
    written: tuple[str, ...] = ()
    result_keys: tuple[str, ...] = ()
    splits: bool = False
    listed: tuple[str, ...] = ()
    delivered: Env = Env({})
    calls: int = 0
    keys: frozenset[str] = frozenset()


class Draft(NamedTuple):
    """The document so far. What is said of nodes and names is said of the block that is being written.

    Attributes:
        block: where that block stands and how many nodes it may have.
        required: R, the names that must be there at every end.
        begin: the names that are there at the entry.
        free: names whose values may have any field.
        n: nodes declared in the whole answer.
        ids: the ids of those of the block.
        pending: P, the nodes named and not declared, in order, with the edges into them.
        results: for each written name the schemas of what was written to it, None for one of which nothing is known.
        granted: for each kind of permission that the block asked for by name, the names.
        node: the current node.
    """

    plan: Plan
    block: Block
    required: frozenset[str]
    begin: Env
    free: frozenset[str]
    n: int
    ids: frozenset[str]
    pending: Mapping[str, tuple[InEdge, ...]]
    results: Mapping[str, tuple[object, ...]]
    granted: Mapping[str, frozenset[str]]
    node: NodeDraft

    # --- questions ---------------------------------------------------------------------------------------------------

    @property
    def slots(self) -> int:
        """How many more nodes the block can declare."""
        return self.block.top - self.n

    @property
    def is_first(self) -> bool:
        """Whether the block has no node yet."""
        return self.n == self.block.before

    @property
    def fresh(self) -> bool:
        """Whether a new node may be named: every pending one has a slot, and one more is free."""
        return len(self.pending) < self.slots

    @property
    def total(self) -> int:
        """The nodes declared in the answer, and those named."""
        return self.n + len(self.pending)

    @property
    def padded(self) -> bool:
        """Whether the number of nodes can still reach ``min_nodes`` if nothing more is named here."""
        return can_pad(self, self.n, len(self.pending), END_ID in self.pending)

    @property
    def stays(self) -> bool:
        """Whether the policy names a node here rather than leave what is missing of ``min_nodes`` to further blocks."""
        total, pending = self.total, len(self.pending)
        missing = total < self.plan.constraints.min_nodes
        return missing and self.fresh and not can_grow(self, total, pending, END_ID in self.pending)

    def onward(self, holds_required: bool) -> bool:
        """Whether some node can be named here; ``end`` only where what is required is there."""
        if not holds_required and not self.recovers:
            return False
        return self.fresh or len(self.pending) > (END_ID in self.pending and not holds_required)

    @property
    def recovers(self) -> bool:
        """Whether a named node can always come to have what is required, whatever it gets."""
        plan = self.plan
        left = [name for name in self.required if name not in self.begin and name not in plan.obtainable]
        return (plan.writes and all(map(plan.is_key, left))) or (not left and plan.calls_anywhere)

    @property
    def wanted_keys(self) -> tuple[str, ...]:
        """Those of `out` that the current node can write as keys."""
        return tuple(name for name in self.out if self.plan.is_key(name))

    @property
    def owed(self) -> tuple[str, ...]:
        """Those of `out` that no library call can bring in the ``next`` of the node."""
        return tuple(name for name in self.out if name not in self.plan.obtainable)

    @property
    def out(self) -> tuple[str, ...]:
        """The names that are required and that neither were there nor are written by the current node."""
        node = self.node
        return tuple(n for n in sorted(self.required) if n not in node.env and n not in node.written)

    def limits(self, kind: str) -> frozenset[str] | None:
        """The names to which the block's permissions limit what nodes use, None where they do not."""
        names = self.granted.get(kind)
        return None if names is None or ANY_NAME in names else names

    # --- transitions -------------------------------------------------------------------------------------------------

    def declared(self, name: str) -> Draft:
        """With a node declared."""
        pending = dict(self.pending)
        edges = pending.pop(name, ())
        node = NodeDraft(name, self.n, edges=edges)
        return self._replace(n=self.n + 1, ids=self.ids | {name}, pending=pending, node=node)

    def env_of(self, type_name: str) -> Env:
        """What the current node may read if it is of a type."""
        node = self.node
        if not node.edges:
            return self.begin
        envs = [edge.env for edge in node.edges]
        return unite(envs, node.number) if type_name == "join" else intersect(envs, node.number)

    def typed(self, type_name: str) -> Draft:
        """With the type of the current node."""
        node = self.node
        env = self.env_of(type_name)
        guard = merge(edge.guard for edge in node.edges) if node.edges else ALWAYS
        return self._replace(node=node._replace(type=type_name, env=env, guard=guard))

    @property
    def may_join(self) -> bool:
        """Whether the join rule holds for the current node."""
        edges = self.node.edges
        return bool(edges) and all(edge.flow and edge.guard == edges[0].guard for edge in edges)

    @property
    def conflicting(self) -> bool:
        """Whether the edges into the current node bring different values of one name."""
        return conflicts([edge.env for edge in self.node.edges])

    def writing(self, key: str, *, result: bool) -> Draft:
        """With a name that the current node writes; ``result`` where it is one of ``output_keys``."""
        node = self.node
        return self._replace(
            node=node._replace(
                written=node.written if key in node.written else (*node.written, key),
                result_keys=(*node.result_keys, key) if result else node.result_keys,
                keys=node.keys | {key},
            )
        )

    def with_keys(self, keys: frozenset[str] = frozenset()) -> Draft:
        """With these keys taken in the mapping or list that begins."""
        return self._replace(node=self.node._replace(keys=keys))

    def listing(self) -> Draft:
        """At the start of ``next`` or ``branches``: the node has written what it writes."""
        node = self.node
        env = node.env.plus(node.written, node.number)
        results = dict(self.results)
        for key in node.written:
            results[key] = (*results.get(key, ()), _result(node, key))
        return self._replace(node=node._replace(listed=(), delivered=env, calls=0), results=results)

    def naming(self, name: str) -> Draft:
        """With a node named by the list that is being written."""
        node = self.node
        guard = succeeded(node.guard, node.number) if node.splits else node.guard
        edge = InEdge(node.number, node.id, True, guard, node.delivered)
        pending = {**self.pending, name: (*self.pending.get(name, ()), edge)}
        return self._replace(pending=pending, node=node._replace(listed=(*node.listed, name)))

    def generating(self, prefix: str) -> Draft:
        """With a node that generates below a path."""
        return self._replace(block=self.block.generating(prefix, self.plan.constraints.path))

    def handling(self, name: str) -> Draft:
        """With a node named by the handler of the current node."""
        node = self.node
        edge = InEdge(node.number, node.id, False, failed(node.guard, node.number), node.env)
        pending = {**self.pending, name: (*self.pending.get(name, ()), edge)}
        return self._replace(pending=pending, node=node._replace(splits=True))

    def calling(self, call: PlannedCall) -> Draft:
        """With a library call in the list that is being written."""
        node = self.node
        env = node.delivered.plus(call.outputs, ("call", node.number, node.calls))
        results = dict(self.results)
        for name in (*call.outputs, *call.unsure):
            results[name] = (*results.get(name, ()), None)
        return self._replace(node=node._replace(delivered=env, calls=node.calls + 1), results=results)


def _result(node: NodeDraft, key: str) -> object:
    """The schema of what a node writes to a key, None where nothing is known of it."""
    returns = node.tool.returns if node.tool is not None else None
    if returns is None or key not in node.result_keys:
        return None
    if node.result_keys == (key,):
        return returns
    properties = returns.get("properties")
    return properties.get(key) if isinstance(properties, Mapping) else None


def has_field(tool: PlannedTool | None, key: str) -> bool:
    """Whether a tool's result may have a field."""
    return tool is None or tool.returns is None or not lacks(tool.returns, (key,))


def can_pad(doc: Draft, declared: int, pending: int, has_end: bool) -> bool:
    """Whether the number of nodes can reach ``min_nodes`` from a border between nodes.

    It has, or further blocks bring the rest (`can_close`), or a pending node becomes one that names a new node; only
    ``end`` cannot. A fork needs two targets: where nothing else can name nodes, a single pending node can only be
    replaced by two new ones. At the highest number of the block it can be closed.
    """
    total = declared + pending
    return can_close(doc.plan, total, doc.block.left) or can_grow(doc, total, pending, has_end)


def can_grow(doc: Draft, total: int, pending: int, has_end: bool) -> bool:
    """Whether some pending node can name new ones, up to the highest number of nodes of the block."""
    plan = doc.plan
    if total >= doc.block.top or pending - has_end < 1:
        return False
    return plan.spawns or (plan.forks and (pending >= 2 or total + 2 <= doc.block.top))
