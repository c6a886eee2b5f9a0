"""NESTFUL tasks as requests to a model, with the gold plan that the answer is compared with.

The tasks are the first of the valid gold plans, in the order of the data (`nestful.CATALOGUES`, then the record's
number). Each request has the task's whole catalogue, the node types that gold plans are made of, and room for two nodes
more than its gold plan has, by the same rule for every task.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.ast import Subgraph
from agentic_dsl.constraints import Constraints
from benchmarks.data import data_folder, read_json
from benchmarks.nestful import CATALOGUES
from benchmarks.nestful_catalogue import normalise_catalogue
from benchmarks.nestful_plans import Plan, constraints_of, defects, to_subgraph

TASKS = 100
MAX_OUTPUT_TOKENS = 512
SLACK_NODES = 2
"""More nodes than the gold plan has, so that the count alone does not give the plan away."""


@dataclass(frozen=True)
class PlanTask:
    """One request.

    Attributes:
        name: catalogue and number of the record, such as ``executable/12``.
        text: what the user asked for.
        gold: the gold plan.
        constraints: what the answer must be.
    """

    name: str
    text: str
    gold: Subgraph
    constraints: Constraints


def first_tasks(count: int = TASKS) -> list[PlanTask]:
    """The first tasks whose gold plan is valid.

    Raises:
        FileNotFoundError: the data is not there.
    """
    folder = data_folder("nestful")
    if folder is None:
        raise FileNotFoundError("no folder nestful in the task data; set AGENTIC_DSL_DATA")
    tasks: list[PlanTask] = []
    for catalogue in CATALOGUES:
        tools = normalise_catalogue(read_json(folder / f"{catalogue}-spec.json"))
        for number, record in enumerate(read_json(folder / f"{catalogue}-data.json")):
            plan = Plan.of(record)
            if len(tasks) == count:
                return tasks
            # `nestful` shows that the plans without such defects are exactly those that the checker accepts.
            if next(defects(plan, tools), None) is None:
                gold = to_subgraph(plan, tools)
                own = constraints_of(plan, tools)
                limits = {"max_nodes": len(gold.nodes) + SLACK_NODES, "max_output_tokens": MAX_OUTPUT_TOKENS}
                given = {name: getattr(own, name) for name in Constraints.model_fields}
                tasks.append(PlanTask(f"{catalogue}/{number}", plan.task, gold, Constraints(**given | limits)))
    return tasks
