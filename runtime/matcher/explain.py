"""`explain`: the first place at which a text leaves what is allowed, what was expected there, and what forbids it.

The place is exact: it is the first byte after which no valid document is left. So is the list of constraints, where the
text is known from its beginning (`explain_relaxed`). The rule comes from the decision table's row for that place
(`explain_rules`); a test holds its code to what `check` finds in the same documents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentic_dsl.codes import INCOMPLETE
from agentic_dsl.runtime.matcher.explain_place import Place, place_at
from agentic_dsl.runtime.matcher.explain_relaxed import constraints_that_forbid
from agentic_dsl.runtime.matcher.explain_rule import Rule
from agentic_dsl.runtime.matcher.explain_rules import rule_at, settled, subject_of
from agentic_dsl.runtime.matcher.explain_words import alternatives_at, expected_at, policy_line
from agentic_dsl.runtime.matcher.frames import Frame, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.span import Position, Source

Status = Literal["forbidden", "incomplete", "over_budget"]

_TRAIL = 4_096
"""How many frames are kept: a word whose beginning is further back is explained from its end."""

_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """The token that is not allowed: its number in the trace (from 0), its id, and what it spells."""

    index: int
    id: int
    text: str


@dataclass(frozen=True, slots=True)
class BudgetGap:
    """A budget that is too small.

    Attributes:
        limit: ``max_output_tokens``.
        used: the tokens up to and including the one that breaks it.
        left: what is left of the limit behind it.
        needed: what the completion takes from there, end token included.
    """

    limit: int
    used: int
    left: int
    needed: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text is not an answer.

    Attributes:
        status: ``forbidden``: something in it is not allowed; ``incomplete``: it is the beginning of an answer;
            ``over_budget``: what it begins is not completed within the token budget.
        offset: the first code point that is not allowed, counted from 0.
        byte_offset: the same in bytes of UTF-8.
        position: the same as line and column, from 1.
        word: the part of the text that is wrong as a whole, from where it begins; it may be partly accepted.
        word_offset: where it begins, in code points.
        accepted_line: the last line of what was accepted.
        expected: what was expected, in words.
        alternatives: the legal texts nearest to `word`, at most five.
        completion: what the completion policy would write instead of `word`, up to the end of its line; of an
            incomplete text everything that is missing.
        rule: the rule that forbids it, None where the budget does.
        constraints: the fields of `Constraints` that forbid it: without any one of them it would be allowed.
        subject: the tool that it is about, and the keys that lead to what forbids it in the tool's declaration.
        token: of a trace, the token in which the place is.
        budget: of a budget that is too small, its figures.
    """

    status: Status
    offset: int
    byte_offset: int
    position: Position
    word: str
    word_offset: int
    accepted_line: str
    expected: str
    alternatives: tuple[str, ...]
    completion: str
    rule: Rule | None
    constraints: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    token: TokenPlace | None = None
    budget: BudgetGap | None = None

    @property
    def message(self) -> str:
        """The finding in one sentence."""
        match self.status:
            case "incomplete":
                return f"the text ends early: expected {self.expected}"
            case "over_budget":
                return self.expected
            case _:
                found = f"`{self.word[:_EXCERPT]}`" if self.word.strip() else "the end of the line"
                return f"{found} is not allowed here: expected {self.expected}"

    def record(self) -> dict[str, Any]:
        """The explanation as JSON data; absent is null."""
        rule = self.rule
        end = self.word_offset + len(self.word)
        return {
            "status": self.status,
            "message": self.message,
            "line": self.position.line,
            "column": self.position.column,
            "offset": self.offset,
            "byte_offset": self.byte_offset,
            "word": {"text": self.word, "offset": self.word_offset, "end_offset": end},
            "accepted_line": self.accepted_line,
            "expected": self.expected,
            "alternatives": list(self.alternatives),
            "completion": self.completion,
            "rule": None if rule is None else {"section": rule.section, "text": rule.text},
            "code": None if rule is None else rule.code.code,
            "constraints": list(self.constraints),
            "subject": list(self.subject),
            "token": None if (t := self.token) is None else {"index": t.index, "id": t.id, "text": t.text},
            "budget": None
            if (b := self.budget) is None
            else {"max_output_tokens": b.limit, "used": b.used, "left": b.left, "needed": b.needed},
        }


def explain(
    frame: Frame, text: bytes | str, *, before: bytes | str | None = None, whole: bool = False
) -> Explanation | None:
    """Why a text may not come next, None where it may.

    Args:
        frame: what the tracker knows in front of the text.
        text: the text; bytes may end inside a character.
        before: everything that came before, from the first byte of the answer: ``b""`` where the text is the whole.
            Positions count from its beginning. None where it is not known: then the explanation knows the place only
            from the frame, and no constraints are tried out.
        whole: whether the text must be a whole answer, so that one that ends early is explained too.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if before is not None:
        raw = (before.encode() if isinstance(before, str) else before) + raw
        frame = start(frame.doc.plan)
    at, trail = read(frame, raw)
    if at == len(raw):
        return _incomplete(trail[-1], raw) if whole and not trail[-1].is_final else None
    return _forbidden(trail, raw, at, from_start=before is not None)


def read(frame: Frame, raw: bytes) -> tuple[int, deque[Frame]]:
    """How many bytes of a text are allowed, and the last frames on the way."""
    trail: deque[Frame] = deque([frame], maxlen=_TRAIL)
    for at, byte in enumerate(raw):
        after = trail[-1].step(byte)
        if after is None:
            return at, trail
        trail.append(after)
    return len(raw), trail


def _forbidden(trail: Sequence[Frame], full: bytes, at: int, *, from_start: bool) -> Explanation:
    """The explanation of a text whose byte ``at`` is not allowed."""
    frames = list(trail)
    while len(frames) > 1 and at < len(full) and 0x80 <= full[at] < 0xC0:
        # Inside a character: the place is its first byte.
        at -= 1
        frames.pop()
    accepted, ahead = (part.decode("utf-8", "replace") for part in (full[:at], full[at:]))
    place = place_at(frames, accepted, ahead, whole_line=from_start)
    rule, found = rule_at(place), None
    if from_start:
        reach = max(len((accepted + ahead)[: place.start + len(place.word)].encode("utf-8", "replace")), at + 1)
        found = constraints_that_forbid(place, full, reach)
        rule = rule if found is None else settled(rule, place, found)
    return Explanation(
        status="forbidden",
        offset=len(accepted),
        byte_offset=at,
        position=Source(accepted + ahead).position(len(accepted)),
        word=place.word,
        word_offset=place.start,
        accepted_line=_last_line(accepted),
        expected=expected_at(place),
        alternatives=alternatives_at(place),
        completion=policy_line(place.frame),
        rule=rule,
        constraints=found if found is not None else _that_are_set(place, rule.fields),
        subject=subject_of(place),
    )


def _last_line(accepted: str) -> str:
    return accepted.removesuffix("\n").rpartition("\n")[2]


def _that_are_set(place: Place, fields: Sequence[str]) -> tuple[str, ...]:
    """The fields that say something at all, of those on which a rule depends."""
    constraints = place.doc.plan.constraints
    said = {"signature": constraints.signature is not None, "tools": constraints.tools is not None}
    context = constraints.context
    said["context.required_outputs"] = context is not None and bool(context.required_outputs)
    said["allowed_node_types"] = constraints.allowed_node_types is not None
    return tuple(name for name in fields if said.get(name, True))


def _incomplete(frame: Frame, full: bytes) -> Explanation:
    """The explanation of a text that is the beginning of an answer."""
    accepted = full.decode("utf-8", "replace")
    place = place_at([frame], accepted, "", whole_line=True)
    pending = [f"`{name}`" for name in frame.doc.pending]
    named = f"; {len(pending)} named and not yet declared: {', '.join(pending[:8])}" if pending else ""
    return Explanation(
        status="incomplete",
        offset=len(accepted),
        byte_offset=len(full),
        position=Source(accepted).position(len(accepted)),
        word="",
        word_offset=len(accepted),
        accepted_line=_last_line(accepted),
        expected=expected_at(place) + named,
        alternatives=alternatives_at(place),
        completion=finish(frame).decode("utf-8", "replace"),
        rule=Rule("6", "an answer is a whole block", INCOMPLETE),
    )


__all__ = ["BudgetGap", "Explanation", "TokenPlace", "explain", "read"]
