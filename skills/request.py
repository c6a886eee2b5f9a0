"""How a request is put together: skills as typed segments in an order that repeats.

Caches of prefixes reuse what requests begin with alike. So the order is the same for everyone: the system text, tool
definitions, skills, the context, the question; and among skills those that others build on come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import networkx

from agentic_dsl.skills.segments import Segment, SegmentKind
from agentic_dsl.skills.skill import Skill

ORDER = (
    SegmentKind.SYSTEM_PROMPT,
    SegmentKind.TOOL_DEFINITION,
    SegmentKind.SKILL,
    SegmentKind.CONTEXT,
    SegmentKind.EXECUTION_CHECKPOINT,
    SegmentKind.REASONING_BRANCH,
    SegmentKind.QUESTION,
)
"""What changes least often comes first."""

_BETWEEN = "\n\n"


def in_order(segments: Iterable[Segment]) -> list[Segment]:
    """Segments in the order of requests; those of one kind stay as they were given."""
    return sorted(segments, key=lambda segment: ORDER.index(segment.kind))


def in_stable_order(skills: Sequence[Skill]) -> list[Skill]:
    """The same order for the same skills: what others require before them, otherwise by name.

    A skill that is given twice is there once; requirements that are not among the skills change nothing.
    """
    by_name = {skill.name: skill for skill in skills}
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(by_name)
    for skill in by_name.values():
        graph.add_edges_from((need.name, skill.name) for need in skill.requires if need.name in by_name)
    if not networkx.is_directed_acyclic_graph(graph):  # a registry refuses these; by name is an order too
        return [by_name[name] for name in sorted(by_name)]
    return [by_name[name] for name in networkx.lexicographical_topological_sort(graph)]


def skill_segment(skill: Skill) -> Segment:
    """A skill as a model reads it, under a heading of its own."""
    return Segment(SegmentKind.SKILL, skill.name, f"# Skill: {skill.name}\n\n{skill.body}")


def spaced(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments of one text with a blank line between them, which belongs to the one before it."""
    waiting: Segment | None = None
    for segment in segments:
        if waiting is not None:
            yield replace(waiting, text=f"{waiting.text}{_BETWEEN}")
        waiting = segment
    if waiting is not None:
        yield waiting
