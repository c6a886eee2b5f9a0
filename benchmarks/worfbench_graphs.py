"""WorFBench's gold workflows as graphs, and as AgenticDSL.

A workflow is a list of numbered steps and edges between START, the steps and END. Each step becomes a
``dsl_call``; where more than one edge of the transitive reduction leaves a step, a ``fork`` follows it, and
where more than one enters, a ``join`` precedes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.constraints import Constraints, ContextSignature
from agentic_dsl.node_table import AnyNode, DslCall, End, Fork, Join, Start
from agentic_dsl.paths import Path

PATH = "/dynamic/plan"
START, END = "START", "END"

_TASK = re.compile(r"Task:\s*(.*?)\n(?:Output:|The api list)", re.S)
_ANSWER = re.compile(r"Node:\n(?P<nodes>.*?)\nEdges?:\s*(?P<edges>.*)", re.S)
_NODE = re.compile(r"^(\d+)\s*[:.]\s*(.*)$", re.M)
_EDGE = re.compile(r"\(\s*(\w+)\s*,\s*(\w+)\s*\)")


@dataclass(frozen=True)
class Workflow:
    """One gold workflow.

    Attributes:
        name: the record's id.
        steps: number → what to do.
        edges: between numbers, START and END, as published.
    """

    name: str
    task: str
    steps: dict[str, str]
    edges: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, record: dict[str, Any]) -> Workflow:
        """The workflow of a record as published."""
        turns = record["conversations"]
        answer = _ANSWER.search(turns[-1]["content"])
        task = _TASK.search(turns[-2]["content"])
        if answer is None:
            raise ValueError(f"{record['id']}: no Node and Edge lists")
        steps = dict(_NODE.findall(answer["nodes"]))
        return cls(record["id"], task[1].strip() if task else "", steps, tuple(_EDGE.findall(answer["edges"])))

    def graph(self) -> nx.DiGraph[str]:
        """The published graph."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from([START, *self.steps, END])
        graph.add_edges_from(self.edges)
        return graph

    def reduction(self) -> nx.DiGraph[str]:
        """The transitive reduction: the fewest edges with the same order. Cyclic graphs come back as they are."""
        graph = self.graph()
        return nx.transitive_reduction(graph) if nx.is_directed_acyclic_graph(graph) else graph


def defects(workflow: Workflow) -> Iterator[str]:
    """What is wrong with a workflow, judged on the published graph alone."""
    graph = workflow.graph()
    if not nx.is_directed_acyclic_graph(graph):
        yield "cycle"
    reached = nx.descendants(graph, START)
    ending = nx.ancestors(graph, END)
    if any(step not in reached for step in workflow.steps):
        yield "step not reachable from START"
    if any(step not in ending for step in workflow.steps):
        yield "step without a way to END"


def constraints_of(workflow: Workflow) -> Constraints:
    """What a generation of the workflow would be asked for."""
    return Constraints(
        path=PATH,
        max_nodes=3 * len(workflow.steps) + 4,
        allowed_node_types=("start", "end", "dsl_call", "fork", "join"),
        context=ContextSignature(),
    )


def to_subgraph(workflow: Workflow) -> Subgraph:
    """The workflow in AgenticDSL."""
    graph = workflow.reduction()
    nodes: list[AnyNode] = []
    for name in _order(graph):
        before, after = sorted(graph.predecessors(name)), sorted(graph.successors(name))
        if len(before) > 1:
            sources = tuple(_ref(_exit(graph, source)) for source in before)
            nodes.append(Join(id=_entry(graph, name), sources=sources, next=(_ref(_id(name)),)))
        nodes.append(_node(graph, workflow, name))
        if len(after) > 1:
            nodes.append(Fork(id=_exit(graph, name), branches=tuple(_ref(_entry(graph, step)) for step in after)))
    return Subgraph(path=Path(("dynamic", "plan")), nodes=tuple(nodes))


def of_subgraph(subgraph: Subgraph) -> nx.DiGraph[str]:
    """The graph between steps that a subgraph says, its forks and joins contracted: the inverse of `to_subgraph`."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for node in subgraph.nodes:
        graph.add_node(node.id)
        targets = node.branches if isinstance(node, Fork) else node.next
        graph.add_edges_from((node.id, (target.path or Path(("x",))).name) for target in targets)
    for node in subgraph.nodes:
        if isinstance(node, Fork | Join):
            around = [(p, s) for p in graph.predecessors(node.id) for s in graph.successors(node.id)]
            graph.add_edges_from(around)
            graph.remove_node(node.id)
    names = {_id(START): START, _id(END): END}
    return nx.relabel_nodes(graph, lambda name: names.get(name, name.removeprefix("step_")))


def _order(graph: nx.DiGraph[str]) -> list[str]:
    """Topological with START first and END last, ties by number; a cyclic graph in the order of the record."""
    names = [START, *sorted(set(graph) - {START, END}, key=int), END]
    if not nx.is_directed_acyclic_graph(graph):
        return names
    return list(nx.lexicographical_topological_sort(graph, key=names.index))


def _node(graph: nx.DiGraph[str], workflow: Workflow, name: str) -> AnyNode:
    following = (_ref(_exit(graph, name)),) if len(graph.succ[name]) > 1 else _next(graph, name)
    if name == START:
        return Start(id=_id(name), next=following)
    if name == END:
        return End(id=_id(name))
    return DslCall(
        id=_id(name),
        prompt_template=workflow.steps[name],
        llm_tool_name="llama-default",
        output_keys=(f"result_{name}",),
        next=following,
    )


def _next(graph: nx.DiGraph[str], name: str) -> tuple[Any, ...]:
    return tuple(_ref(_entry(graph, successor)) for successor in graph.successors(name))


def _id(name: str) -> str:
    return name.lower() if name in (START, END) else f"step_{name}"


def _entry(graph: nx.DiGraph[str], name: str) -> str:
    """The id by which a step is entered: its join, where it has one."""
    return f"{_id(name)}_join" if len(graph.pred[name]) > 1 else _id(name)


def _exit(graph: nx.DiGraph[str], name: str) -> str:
    """The id by which a step is left: its fork, where it has one."""
    return f"{_id(name)}_fork" if len(graph.succ[name]) > 1 else _id(name)


def _ref(name: str) -> Any:
    return parse_reference(f"{PATH}/{name}")
