"""`Choice`: skills taken one by one, each with what it requires, as long as the budget lasts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from agentic_dsl.skills.dependencies import closure
from agentic_dsl.skills.detection import Detection, DroppedSkill, DropReason, Reason, SelectedSkill
from agentic_dsl.skills.ranking import Ranked, Ranker
from agentic_dsl.skills.skill import Skill


@dataclass
class Choice:
    """What has been chosen so far, while one request is looked at.

    Attributes:
        skills: all that there are, by name.
        ranked: those that the ranker found, the best first.
        budget: the most tokens, or None.
        tokens: of those chosen and all that they require.
        reasons: why each was chosen, in order.
        dropped: those that were not, in order.
    """

    skills: dict[str, Skill]
    ranked: dict[str, Ranked]
    budget: int | None
    tokens: int = 0
    reasons: dict[str, Reason] = field(default_factory=dict)
    dropped: dict[str, DroppedSkill] = field(default_factory=dict)

    @property
    def taken(self) -> set[str]:
        """Those chosen and all that they require."""
        return {skill.name for skill in closure(self.reasons, self.skills)}

    def needs(self, name: str, unwanted: Collection[str]) -> str | None:
        """The first of some skills that this one would bring into the selection: itself, or one that it requires."""
        if not unwanted:
            return None
        taken = self.taken
        brought = [name, *(skill.name for skill in closure([name], self.skills))]
        return next((other for other in brought if other in unwanted and other not in taken), None)

    def take(self, name: str, reason: Reason) -> bool:
        """Chooses a skill if it fits the budget with what it requires; says why where it does not."""
        if name in self.reasons:
            return False
        taken = self.taken
        needed = [skill for skill in closure([name], self.skills) if skill.name not in taken]
        cost = sum(skill.tokens for skill in needed)
        if self.budget is not None and self.tokens + cost > self.budget:
            others = f" with {', '.join(s.name for s in needed if s.name != name)}" if len(needed) > 1 else ""
            message = f"it takes {cost:,} tokens{others}, and {self.budget - self.tokens:,} are left"
            self.drop(name, DropReason.OVER_BUDGET, message, asked_for=reason is not Reason.RANKED)
            return False
        self.tokens += cost
        self.reasons[name] = reason
        return True

    def drop(self, name: str, reason: DropReason, message: str, *, asked_for: bool = False) -> None:
        """Notes that a skill is not chosen; the first reason counts."""
        one = self.ranked.get(name, Ranked(name, 0.0, ()))
        self.dropped.setdefault(name, DroppedSkill(name, reason, message, one.score, one.matches, asked_for))

    def detection(self, ranker: Ranker, shortened: bool) -> Detection:
        """The result, each skill behind what it requires."""
        selected: dict[str, SelectedSkill] = {}
        needs = closure(self.reasons, self.skills)
        for name in self.reasons:
            for skill in closure([name], self.skills):
                one = self.ranked.get(skill.name, Ranked(skill.name, 0.0, ()))
                users = tuple(user.name for user in needs if any(r.name == skill.name for r in user.requires))
                reason = self.reasons.get(skill.name, Reason.REQUIRED)
                selected.setdefault(skill.name, SelectedSkill(skill, reason, one.score, one.matches, users))
        # A skill that did not fit may be there after all: another one, chosen later, requires it.
        dropped = [one for one in self.dropped.values() if one.name not in selected]
        return Detection(
            selected=tuple(selected.values()),
            dropped=tuple(dropped),
            ranker=ranker.name,
            threshold=ranker.threshold,
            tokens=self.tokens,
            token_budget=self.budget,
            shortened=shortened,
        )
