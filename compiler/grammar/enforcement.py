"""Levels and entries of the enforcement report: what enforces a constraint, and what does where our matcher is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


class Level(Enum):
    """What enforces a constraint."""

    GRAMMAR = "grammar"
    """The grammar: on any engine that takes it."""
    OVERLAY = "overlay"
    """Our matcher, while the text is written."""
    CHECKED = "checked"
    """The check of the finished text."""
    UNSUPPORTED = "unsupported"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """How one constraint, or a named part of it, is enforced.

    Attributes:
        constraint: the field of `Constraints`, its part after a dot; ``language.…`` for rules that every answer has.
        level: what enforces it.
        detail: one sentence for people.
        checked_detail: the sentence where the check alone is left to enforce it, None where it is the same.
    """

    constraint: str
    level: Level
    detail: str
    checked_detail: str | None = None


def without_overlay(entries: Iterable[ReportEntry]) -> tuple[ReportEntry, ...]:
    """The report of an engine that takes the grammar and nothing else: what our matcher enforced is now checked."""
    return tuple(_checked(entry) if entry.level is Level.OVERLAY else entry for entry in entries)


def _checked(entry: ReportEntry) -> ReportEntry:
    detail = entry.detail if entry.checked_detail is None else entry.checked_detail
    return replace(entry, level=Level.CHECKED, detail=detail, checked_detail=None)
