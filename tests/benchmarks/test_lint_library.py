"""The library that lint is measured on: of real contents, large enough, and clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentic_dsl.compiler.lint.project import Project
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.format import format_document
from agentic_dsl.paths import Path as BlockPath
from benchmarks.bench_lint import COLD, EDITOR, WARM, Cost, Target, cfn_template, targets
from benchmarks.data import data_folder
from benchmarks.lint_library import segment, snake, write_library
from benchmarks.lint_workflows import Callee, Workflow, workflows_of
from benchmarks.measure import Timing
from benchmarks.nestful_plans import Plan

CALLEES = {
    "Find": Callee("/lib/knowledge/x/find@v1", {"Query": "query"}, ("query",), {"placeId": "place_id", "": "whole"}),
    "Look": Callee("/lib/knowledge/x/look@v1", {"id": "id"}, ("id",), {"": "whole"}),
}
PATH = BlockPath(("lib", "workflow", "x", "plan"))


def _workflows(*calls: dict[str, object], **outputs: str) -> list[Workflow]:
    return list(workflows_of(Plan("a task", calls, outputs), CALLEES))


@pytest.mark.data
@pytest.mark.skipif(data_folder("nestful") is None, reason="the task data is not there")
def test_the_library_is_large_and_canonical_and_lint_finds_nothing_in_it(tmp_path: Path) -> None:
    files, nodes = write_library(tmp_path)
    found = {str(file): file.read_bytes() for file in tmp_path.rglob("*.md")}
    assert (len(found), files >= 300, nodes >= 5_000) == (files, True, True)
    project = Project(found)
    assert sum(len(block.nodes) for d in project.documents.values() for block in d.subgraphs) == nodes
    for name, linted in project.lint().items():
        assert [finding.diagnostic.message for finding in judged(linted)] == [], name
        assert format_document(project.documents[name]).encode() == found[name], name
    namespaces = {file.relative_to(tmp_path).parts[0] for file in tmp_path.rglob("*.md")}
    assert namespaces == {"knowledge", "net", "workflow"}


def test_a_quoted_field_becomes_the_output_that_holds_it() -> None:
    first = {"name": "Find", "arguments": {"Query": "Rome"}, "label": "var1"}
    second = {"name": "Look", "arguments": {"id": "$var1.placeId$"}, "label": "var2"}
    (workflow,) = _workflows(first, second, answer="$var2.name$")
    ((find,), (look,)) = workflow.layers
    assert find.reference == "/lib/knowledge/x/find@v1?query={{ var1_in_query }}"
    assert find.kept == {"var1_got_place_id": "{{ place_id }}"}
    assert look.prepared == {"var2_in_id": "{{ var1_got_place_id }}"}
    assert look.needs == {"var1"}
    assert workflow.outputs == {"out_answer": "{{ var2_got_whole.name }}"}


def test_steps_that_need_nothing_of_each_other_run_side_by_side_too() -> None:
    calls = [
        {"name": "Find", "arguments": {"Query": word}, "label": label} for word, label in (("a", "v1"), ("b", "v2"))
    ]
    in_order, parallel = _workflows(*calls, both="$v1$ $v2$")
    assert [len(layer) for layer in in_order.layers] == [1, 1]
    assert [len(layer) for layer in parallel.layers] == [2]
    types = [node.TYPE for node in parallel.nodes(PATH)]
    assert (types.count("fork"), types.count("join")) == (1, 1)


def test_a_required_input_that_a_plan_does_not_give_is_asked_of_the_caller() -> None:
    (workflow,) = _workflows({"name": "Look", "arguments": {"other": 1}, "label": "v1"}, out="$v1$")
    assert workflow.inputs == ("id",)
    assert workflow.layers[0][0].reference.endswith("?id={{ inputs.id }}")


def test_texts_that_look_like_numbers_stay_texts() -> None:
    (workflow,) = _workflows({"name": "Find", "arguments": {"Query": "0042"}, "label": "v1"}, out="$v1$")
    assert workflow.layers[0][0].prepared == {"v1_in_query": '{{ "0042" }}'}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("originSkyId", "origin_sky_id"),
        ("Date (UTC)", "date_utc"),
        ("2nd", "n_2nd"),
        ("null", "null_value"),
        ("y", "y_value"),
    ],
)
def test_names_become_what_models_write(name: str, word: str) -> None:
    assert snake(name) == word
    assert "-" not in segment(name)


def test_a_time_is_held_to_its_bound() -> None:
    times = {
        "agentic-dsl --version": Cost(Timing((0.1,)), Timing((9.0,))),
        "lint, library, cold": Cost(Timing((COLD + 0.1,)), Timing((0.1,))),
        "lint, library, unchanged": Cost(Timing((WARM,)), Timing((9.0,))),
    }
    held = list(targets(times, Timing((EDITOR,))))
    assert [target.met for target in held] == [False, True, True]
    assert Target("x", 2.0, 1.0).row() == ("x", "2.000 s", "≤ 1 s", "**no**")


def test_the_template_for_cfn_lint_has_as_many_resources_as_asked_for() -> None:
    template = json.loads(cfn_template(3))
    assert list(template["Resources"]) == ["Topic0", "Topic1", "Topic2"]
    assert template["Resources"]["Topic2"]["Properties"]["Tags"][0]["Value"] == {"Ref": "Topic1"}
