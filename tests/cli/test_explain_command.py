"""`explain`: texts and traces, where constraints were given, and what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.runtime.tokenizer import load_tokenizer

Example = Callable[[str], Path]

PLAN = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: find
    type: tool_call
    tool: search_hotels
    arguments:
      city: "{{ city }}"
      stars: 4
    output_keys: ["hotels"]
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
    output_keys: ["hotels"]
# --- END AgenticDSL ---
```
"""


@pytest.fixture
def spec(example: Example) -> list[str]:
    return ["--spec", str(example("trip.md")), "--context", "city"]


def test_a_legal_text_is_called_so(cli: Cli, spec: list[str]) -> None:
    result = cli("explain", "-", *spec, stdin=PLAN)
    assert (result.code, result.out, result.err) == (0, "", "-: complete and allowed\n")
    record = json.loads(cli("explain", "-", *spec, "--format", "json", stdin=PLAN).out)
    assert record == {"ok": True, "path": "-", "status": "allowed"}


def test_the_line_of_the_spec_that_forbids_it_is_shown(cli: Cli, spec: list[str]) -> None:
    lines = Path(spec[1]).read_text().splitlines()
    wrong_value = PLAN.replace("stars: 4", "stars: 6")
    record = json.loads(cli("explain", "-", *spec, "--format", "json", stdin=wrong_value).out)
    (origin,) = record["constraints"]
    assert (origin["field"], origin["source"], origin["where"]) == ("tools", "spec", spec[1])
    assert (lines[origin["line"] - 1].strip(), origin["text"]) == ("stars:", "stars:")
    assert "search_hotels" in "".join(lines[origin["line"] - 12 : origin["line"]])
    unknown = cli("explain", "-", *spec, stdin=PLAN.replace("search_hotels", "search_cars"))
    assert unknown.code == 1
    assert "= forbidden by: tools" in unknown.out
    assert f"{spec[1]}:{lines.index('resources:') + 1}: resources:" in unknown.out


@pytest.mark.parametrize(
    ("arguments", "source", "where"),
    [
        (["--max-nodes", "1"], "option", "--max-nodes 1"),
        (["--constraints", "c.json"], "constraints file", "c.json"),
        ([], "environment", "AGENTIC_DSL_MAX_NODES"),
    ],
)
def test_where_a_bound_was_given_is_told(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], source: str, where: str
) -> None:
    (folder / "c.json").write_text('{\n  "max_nodes": 1\n}\n', encoding="utf-8")
    if not arguments:
        monkeypatch.setenv("AGENTIC_DSL_MAX_NODES", "1")
    record = json.loads(cli("explain", "-", "--context", "city", *arguments, "--format", "json", stdin=PLAN).out)
    (origin,) = record["constraints"]
    assert (origin["field"], origin["value"], origin["source"], origin["where"]) == ("max_nodes", 1, source, where)
    assert (origin["line"] == 2) == (source == "constraints file")
    assert record["code"] == "ADL504"


def test_the_record_has_the_documented_keys(cli: Cli, spec: list[str]) -> None:
    record = json.loads(cli("explain", "-", *spec, "--format", "json", stdin=PLAN.replace("end\n", "ende\n", 1)).out)
    page = (Path(__file__).resolve().parents[2] / "docs" / "explain.md").read_text(encoding="utf-8")
    assert [key for key in record if f"`{key}`" not in page] == []
    assert (record["ok"], record["line"], record["column"]) == (False, 15, 14)
    assert record["word"]["text"] == "ende"
    assert record["alternatives"][0] == "end"


def test_a_text_in_another_layout_points_at_fmt(cli: Cli, folder: Path, spec: list[str]) -> None:
    (folder / "plan.md").write_text(PLAN.replace('["/dynamic/plan/done"]', "done"), encoding="utf-8")
    result = cli("explain", "plan.md", *spec)
    assert result.code == 1
    assert "help: run `agentic-dsl fmt plan.md`: only the layout differs" in result.out
    assert cli("fmt", "plan.md").code == 0
    assert cli("explain", "plan.md", *spec).code == 0


def test_what_is_left_after_fmt_is_told(cli: Cli, spec: list[str]) -> None:
    text = "Sure!\n\n" + PLAN.replace("search_hotels", "search_hotel")
    record = json.loads(cli("explain", "-", *spec, "--format", "json", stdin=text).out)
    assert record["formatted"] == {"allowed": False, "has_prose": True}
    assert record["after_fmt"]["word"]["text"] == "search_hotel"
    assert "drop the text around the block; then this is left" in record["help"]


def test_a_text_that_ends_early_is_incomplete(cli: Cli, spec: list[str]) -> None:
    result = cli("explain", "-", *spec, stdin=PLAN[: PLAN.index("  - id: done")])
    assert result.code == 1
    assert "the text ends early" in result.out
    assert "= shortest end: - id: done" in result.out


def _trace(text: str, **more: object) -> str:
    return json.dumps({"token_ids": load_tokenizer("bytes").encode(text)} | more)


def test_a_trace_says_which_token_it_was(cli: Cli, folder: Path, spec: list[str]) -> None:
    bad = PLAN.replace("search_hotels", "search_cars")
    (folder / "t.json").write_text(_trace(bad, tokenizer="bytes"), encoding="utf-8")
    record = json.loads(cli("explain", "--trace", "t.json", *spec, "--format", "json").out)
    assert record["token"]["index"] == bad.index("cars")
    by_flag = cli("explain", "--trace", "-", "--tokenizer", "bytes", *spec, stdin=_trace(bad))
    assert (by_flag.code, "= token: number" in by_flag.out) == (1, True)


def test_a_trace_is_held_to_the_token_budget(cli: Cli, spec: list[str]) -> None:
    result = cli(
        *("explain", "--trace", "-", *spec, "--max-output-tokens", 340, "--format", "json"),
        stdin=_trace(PLAN, model="bytes"),
    )
    record = json.loads(result.out)
    assert (result.code, record["status"]) == (1, "over_budget")
    budget = record["budget"]
    assert budget["used"] + budget["left"] == budget["max_output_tokens"] == 340
    assert budget["needed"] > budget["left"]


def test_what_generate_prints_is_a_trace(cli: Cli, folder: Path, example: Example) -> None:
    example("constraints.json")
    options = ["--constraints", "constraints.json"]
    made = cli("generate", "a task", "--engine", "random", "--model", "bytes", "--seed", 7, "--max-output-tokens", 900,
               *options, "--format", "json")  # fmt: skip
    record = json.loads(made.out)
    options += ["--max-output-tokens", "900", "--format", "json"]
    result = cli("explain", "--trace", "-", "--tokenizer", "bytes", *options, stdin=made.out)
    assert json.loads(result.out)["ok"] == record["valid"]


def test_several_traces_are_explained_one_by_one(cli: Cli, spec: list[str]) -> None:
    lines = "\n".join([_trace(PLAN, tokenizer="bytes"), _trace(PLAN[:-5], tokenizer="bytes")])
    result = cli("explain", "--trace", "-", *spec, "--format", "json", stdin=lines)
    records = json.loads(result.out)["traces"]
    assert (result.code, [record["status"] for record in records]) == (1, ["allowed", "incomplete"])
    assert [record["path"] for record in records] == ["-#1", "-#2"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["nowhere.md"], b"", "nowhere.md cannot be read"),
        ([], b"", "explain needs one of FILE and --trace"),
        (["-", "--trace", "t.json"], b"", "explain needs one of FILE and --trace"),
        (["-", "--spec", "-"], b"", "FILE and --spec both read standard input"),
        (["-"], b"\xff\xfe", "- is not UTF-8: byte 1 is 0xff"),
        (["-"], b"x" * ((8 << 20) + 1), "- is larger than 8 MiB"),
        (["-", "--max-nodes", "0"], b"", "max_nodes"),
        (["--trace", "-"], b"", "the trace - is empty"),
        (["--trace", "-"], b"[1, 2", "the trace - is not JSON: line 1"),
        (["--trace", "-"], b'{"token_ids": [1]}\n{"token_ids": [', "the trace - is not JSON: line 2"),
        (["--trace", "-"], b'{"tokens": [1]}', "has no list of numbers token_ids"),
        (["--trace", "-"], b'{"token_ids": ["a"]}', "has no list of numbers token_ids"),
        (["--trace", "-", "--tokenizer", "bytes"], b'{"token_ids": [999999]}', "has the id 999999"),
        (["--trace", "-", "--tokenizer", "no/such/tokenizer.json"], b'{"token_ids": [1]}', "no/such/tokenizer.json"),
    ],
)
def test_what_cannot_be_used_is_a_failure_that_says_why(
    cli: Cli, arguments: list[str], stdin: bytes, message: str
) -> None:
    result = cli("explain", *arguments, stdin=stdin)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "help: " in result.err
