"""The port of rankers: a request → the skills that may help, with scores that say why."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentic_dsl.skills.skill import Skill

_FENCED = re.compile(r"^(?P<mark>`{3,}|~{3,}).*?(?:^(?P=mark)|\Z)", re.M | re.S)
_HEADING = re.compile(r"^#{1,6}[ \t]+(?P<text>\S.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Match:
    """One reason for a score.

    Attributes:
        what: a term of the request, or another reason in words.
        score: its share of the score; the shares of all matches add up to it.
        fields: the fields of the skill in which it was found, such as ``("name", "tags")``.
    """

    what: str
    score: float
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A skill that may help.

    Attributes:
        name: of the skill.
        score: above zero; what it counts is the ranker's.
        matches: the reasons, the weightiest first.
    """

    name: str
    score: float
    matches: tuple[Match, ...]


class Ranker(Protocol):
    """An index over some skills. Built once, asked often; safe to use from several threads."""

    @property
    def name(self) -> str:
        """What it is called in results."""

    @property
    def threshold(self) -> float:
        """The least score of a skill that is needed. Below it a match says nothing."""

    @property
    def share(self) -> float:
        """The least part of the best score, from 0 to 1, that a further skill must have."""

    def rank(self, request: str) -> tuple[Ranked, ...]:
        """Every skill with a score above zero, the best first, equal ones by name."""


RankerFactory = Callable[[Sequence[Skill]], Ranker]
"""Builds the index over some skills."""


def search_fields(skill: Skill) -> dict[str, str]:
    """What rankers read of a skill, by field. Its body counts by its headings alone: prose matches anything."""
    headings = _HEADING.findall(_FENCED.sub("", skill.body))
    return {
        "name": skill.name,
        "description": skill.description,
        "tags": " ".join(skill.tags),
        # The headings of example blocks are the examples' own.
        "headings": "\n".join(heading for heading in headings if "`/" not in heading),
    }


def in_rank_order(ranked: Sequence[Ranked]) -> tuple[Ranked, ...]:
    """The best first, equal ones by name."""
    return tuple(sorted(ranked, key=lambda one: (-one.score, one.name)))
