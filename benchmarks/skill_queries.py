"""Labelled requests for the project's own skills, in two halves: one to tune with, one to report."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

QUERIES = Path(__file__).with_name("skill_queries.yaml")
LIBRARY = Path(__file__).resolve().parents[1] / "skills" / "library"

_LONG = 200
"""Characters above which a request counts as long."""


@dataclass(frozen=True)
class Query:
    """A request and the skills that help with it.

    Attributes:
        request: what is asked.
        skills: the right answer; empty where no skill helps.
    """

    request: str
    skills: frozenset[str]

    @property
    def held_out(self) -> bool:
        """Whether it is of the half that nothing was tuned with. A hash decides, so nobody chose."""
        return hashlib.sha256(self.request.encode()).digest()[0] % 2 == 1

    @property
    def kind(self) -> str:
        """The group that it is counted in."""
        if re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", self.request):
            return "Chinese, Japanese"
        return "long" if len(self.request) > _LONG else "English"


def load_queries(path: Path = QUERIES) -> tuple[Query, ...]:
    """The labelled requests, in the order of the file."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(Query(row["request"], frozenset(row["skills"])) for row in rows)
