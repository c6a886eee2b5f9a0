"""Which skills require which: what is missing, circles, and an order in which requirements come first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from agentic_dsl import codes
from agentic_dsl.compiler.parse.problem import quoted
from agentic_dsl.compiler.suggestions import Suggester
from agentic_dsl.diagnostics import Code
from agentic_dsl.skills.requirements import Requirement
from agentic_dsl.skills.skill import Skill

if TYPE_CHECKING:
    import networkx as nx  # heavy, and only skills that require others pay for it


class Unusable(NamedTuple):
    """Why a skill cannot be used although it is one; ``other`` is the requirement that is to blame."""

    name: str
    other: str
    kind: Code
    message: str
    help: str


def unusable(skills: Mapping[str, Skill], broken: Iterable[str] = ()) -> tuple[Unusable, ...]:
    """The skills that lack something they require, directly or through others, each with the first reason.

    Args:
        skills: all that could be read, by name.
        broken: names of skills that are there and could not be read.
    """
    if not any(skill.requires for skill in skills.values()):
        return ()
    found = {reason.name: reason for reason in _circles(skills)}
    broken_names, suggester = set(broken), Suggester()
    for skill in skills.values():
        for requirement in skill.requires:
            reason = _unmet(skill, requirement, skills, broken_names, suggester)
            if reason is not None:
                found.setdefault(skill.name, reason)
    return tuple(found[name] for name in sorted(_spread(found, skills)))


def closure(names: Iterable[str], skills: Mapping[str, Skill]) -> tuple[Skill, ...]:
    """Some skills and all that they require: requirements first, else by name.

    Args:
        names: which ones; each is one of ``skills``.
        skills: skills whose requirements are among them, without circles.
    """
    wanted = dict.fromkeys(names)
    left = list(wanted)
    while left:
        for requirement in skills[left.pop()].requires:
            if requirement.name not in wanted:
                wanted[requirement.name] = None
                left.append(requirement.name)
    if not any(skills[name].requires for name in wanted):
        return tuple(skills[name] for name in sorted(wanted))
    import networkx as nx

    order = nx.lexicographical_topological_sort(_graph(skills[name] for name in wanted))
    return tuple(skills[name] for name in order)


def _graph(skills: Iterable[Skill]) -> nx.DiGraph[str]:
    """An edge from each requirement to whoever requires it."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for skill in skills:
        graph.add_node(skill.name)
        graph.add_edges_from((requirement.name, skill.name) for requirement in skill.requires)
    return graph


def _circles(skills: Mapping[str, Skill]) -> Iterator[Unusable]:
    """Every skill that requires itself through others, with the circle."""
    import networkx as nx

    graph = _graph(skills.values())
    for component in nx.strongly_connected_components(graph):
        if len(component) < 2:
            continue  # one that requires itself alone is a mistake in its own front matter
        within = graph.subgraph(component)
        first = min(component)
        last = min(within.predecessors(first))  # edges lead from what is required, so this is required by `first`
        way = [first, *reversed(nx.shortest_path(within, first, last))]
        words = ", which requires ".join(quoted(name) for name in way[1:])
        message = f"the skill {quoted(first)} requires {words}"
        for name in sorted(component):
            other = min(within.predecessors(name))
            said = message if name == first else f"{quoted(name)} is in a circle: {message}"
            yield Unusable(name, other, codes.SKILL_CYCLE, said, "drop one of the requirements")


def _unmet(
    skill: Skill, requirement: Requirement, skills: Mapping[str, Skill], broken: set[str], suggester: Suggester
) -> Unusable | None:
    other = skills.get(requirement.name)
    if other is None:
        if requirement.name in broken:
            message = f"{quoted(skill.name)} requires {quoted(requirement.name)}, which has errors"
            return Unusable(skill.name, requirement.name, codes.MISSING_SKILL, message, "mend that skill")
        message = f"{quoted(skill.name)} requires {quoted(requirement.name)}, which is in no root"
        help = suggester.help(requirement.name, skills, "add the skill, or the root that holds it")
        return Unusable(skill.name, requirement.name, codes.MISSING_SKILL, message, help)
    if requirement.admits(other.version):
        return None
    there = f"there is version {other.version}" if other.version else "which states no version"
    message = f"{quoted(skill.name)} requires {requirement}, and {there}"
    if other.version is None:
        message = f"{quoted(skill.name)} requires {requirement}, {there}"
    return Unusable(
        skill.name,
        requirement.name,
        codes.SKILL_VERSION_CLASH,
        message,
        "change the bound, or the skill that is required",
    )


def _spread(found: dict[str, Unusable], skills: Mapping[str, Skill]) -> dict[str, Unusable]:
    """Adds those that require a skill that cannot be used."""
    users: dict[str, list[str]] = {}
    for skill in skills.values():
        for requirement in skill.requires:
            users.setdefault(requirement.name, []).append(skill.name)
    left = list(found)
    while left:
        name = left.pop()
        for user in users.get(name, ()):
            if user not in found:
                message = f"{quoted(user)} requires {quoted(name)}, which cannot be used"
                found[user] = Unusable(user, name, codes.MISSING_SKILL, message, "mend what that skill requires")
                left.append(user)
    return found
