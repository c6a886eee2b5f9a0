"""Typed segments of a prompt."""

from __future__ import annotations

import dataclasses

import pytest

from agentic_dsl.skills.segments import Segment, SegmentKind


def test_kinds_are_the_words_of_settings_and_statistics() -> None:
    assert [str(kind) for kind in SegmentKind] == [
        "system_prompt",
        "tool_definition",
        "skill",
        "context",
        "reasoning_branch",
        "execution_checkpoint",
        "question",
    ]
    assert SegmentKind("skill") is SegmentKind.SKILL


def test_segments_are_values() -> None:
    segment = Segment(SegmentKind.SKILL, "fork-and-join", "text")
    assert segment == Segment(SegmentKind.SKILL, "fork-and-join", "text")
    assert len({segment, Segment(SegmentKind.SKILL, "fork-and-join", "text"), Segment(SegmentKind.SKILL, "x", "")}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        segment.text = "other"  # type: ignore[misc]


def test_a_segment_is_shown_by_kind_and_name() -> None:
    assert str(Segment(SegmentKind.SKILL, "fork-and-join", "…")) == "skill fork-and-join"
    assert str(Segment(SegmentKind.QUESTION, "", "…")) == "question"
