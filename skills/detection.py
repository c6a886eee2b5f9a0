"""`Detection`: which skills a request needs, which not, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agentic_dsl.skills.ranking import Match
from agentic_dsl.skills.skill import Skill


class Reason(StrEnum):
    """Why a skill was selected."""

    EXPLICIT = "explicit"
    MENTIONED = "mentioned"
    RANKED = "ranked"
    REQUIRED = "required"


class DropReason(StrEnum):
    """Why a skill was not selected."""

    BELOW_THRESHOLD = "below_threshold"
    BEHIND_THE_BEST = "behind_the_best"
    OVER_LIMIT = "over_limit"
    OVER_BUDGET = "over_budget"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SelectedSkill:
    """A skill that goes into the request.

    Attributes:
        skill: the skill.
        reason: why.
        score: the ranker's, whatever the reason; 0 where it shares nothing with the request.
        matches: the reasons for the score.
        required_by: the selected skills that require it.
    """

    skill: Skill
    reason: Reason
    score: float
    matches: tuple[Match, ...] = ()
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DroppedSkill:
    """A skill that was considered and does not go into the request.

    Attributes:
        name: of the skill, or what the request calls one.
        reason: why not.
        message: the same in words, with its numbers.
        score: the ranker's.
        matches: the reasons for the score.
        asked_for: whether somebody asked for it by name, so that its absence is a failure.
    """

    name: str
    reason: DropReason
    message: str
    score: float = 0.0
    matches: tuple[Match, ...] = ()
    asked_for: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """The skills for one request.

    Attributes:
        selected: in an order in which each comes after what it requires, else by how much they are wanted.
        dropped: those that came closest first.
        ranker: name of the ranker.
        threshold: its least score of a skill that is needed; 0 where the ranker has none of its own.
        tokens: of the bodies of all selected skills.
        token_budget: the most that they may have, or None.
        shortened: whether the request was so long that only its beginning and its end were read.
    """

    selected: tuple[SelectedSkill, ...]
    dropped: tuple[DroppedSkill, ...]
    ranker: str
    threshold: float
    tokens: int
    token_budget: int | None = None
    shortened: bool = False

    @property
    def skills(self) -> tuple[Skill, ...]:
        """The selected skills."""
        return tuple(one.skill for one in self.selected)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the selected skills."""
        return tuple(one.skill.name for one in self.selected)

    @property
    def complete(self) -> bool:
        """Whether every skill that was asked for by name is among them."""
        return not any(one.asked_for for one in self.dropped)

    def explain(self) -> str:
        """Everything that led to the selection, for people: one line a skill, below it what it was found by."""
        return "\n".join(self._lines()) + "\n"

    def record(self) -> dict[str, Any]:
        """The same data for programs, as JSON has it."""
        return {
            "selected": [
                {
                    "name": one.skill.name,
                    "reason": one.reason.value,
                    "score": round(one.score, 4),
                    "tokens": one.skill.tokens,
                    "required_by": list(one.required_by),
                    "matches": _match_records(one.matches),
                }
                for one in self.selected
            ],
            "dropped": [
                {
                    "name": one.name,
                    "reason": one.reason.value,
                    "message": one.message,
                    "score": round(one.score, 4),
                    "asked_for": one.asked_for,
                    "matches": _match_records(one.matches),
                }
                for one in self.dropped
            ],
            "ranker": self.ranker,
            "threshold": self.threshold,
            "tokens": self.tokens,
            "token_budget": self.token_budget,
            "shortened": self.shortened,
        }

    def _lines(self) -> Iterator[str]:
        budget = "" if self.token_budget is None else f" of {self.token_budget:,}"
        count = len(self.selected)
        yield f"{count or 'no'} skill{'' if count == 1 else 's'}, {self.tokens:,}{budget} tokens, ranker {self.ranker}"
        if self.shortened:
            yield "the request is so long that only its beginning and its end were read"
        for one in self.selected:
            yield f"+ {one.skill.name} ({one.skill.tokens:,} tokens): {self._reason(one)}"
            yield from _match_lines(one.matches)
        for dropped in self.dropped:
            yield f"- {dropped.name}: {dropped.message}"
            yield from _match_lines(dropped.matches)

    def _reason(self, one: SelectedSkill) -> str:
        match one.reason:
            case Reason.EXPLICIT:
                return "asked for"
            case Reason.MENTIONED:
                return "named in the request"
            case Reason.RANKED:
                return f"score {one.score:.2f}" + (f", the threshold is {self.threshold:.2f}" if self.threshold else "")
            case Reason.REQUIRED:
                return f"required by {', '.join(one.required_by)}"


def _match_lines(matches: tuple[Match, ...]) -> Iterator[str]:
    for match in matches:
        where = f" in {', '.join(match.fields)}" if match.fields else ""
        yield f"    {match.score:5.2f}  {match.what}{where}"


def _match_records(matches: tuple[Match, ...]) -> list[dict[str, Any]]:
    return [{"what": match.what, "score": round(match.score, 4), "fields": list(match.fields)} for match in matches]
