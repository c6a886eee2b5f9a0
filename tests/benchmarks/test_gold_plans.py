"""The published gold plans, judged by the toolkit and by themselves."""

from __future__ import annotations

import pytest

from benchmarks import nestful, worfbench
from benchmarks.data import data_folder

pytestmark = pytest.mark.data


def _needs(name: str) -> None:
    if data_folder(name) is None:
        pytest.skip(f"no folder {name} in the task data; set AGENTIC_DSL_DATA")


def test_every_nestful_plan_is_valid_or_refused_for_a_true_reason() -> None:
    _needs("nestful")
    verdicts = nestful.judge_all()
    assert len(verdicts) == 254
    assert [v for v in verdicts if not v.consistent] == []


def test_every_worfbench_workflow_is_valid_or_refused_for_a_true_reason() -> None:
    _needs("worfbench")
    verdicts = worfbench.judge_all()
    assert len(verdicts) == 316
    assert [v for v in verdicts if not v.consistent] == []
    assert sum(not v.valid for v in verdicts) == 9
