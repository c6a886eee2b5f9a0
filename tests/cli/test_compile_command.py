"""`compile`, `schema`, `cache` and `config`: results, records, and constraints from every source."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import EXAMPLES, Cli

from agentic_dsl.compiler.dialects import DIALECTS
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.tokenizer import load_tokenizer

Example = Callable[[str], Path]


def constraints_of(cli: Cli, *arguments: object, stdin: str = "") -> dict[str, Any]:
    result = cli("compile", *arguments, "--format", "json", stdin=stdin)
    assert result.code == 0, result.out
    constraints: dict[str, Any] = json.loads(result.out)["constraints"]
    return constraints


def test_the_grammar_goes_to_stdout_and_the_report_to_stderr(cli: Cli) -> None:
    result = cli("compile", "--max-nodes", 4)
    assert result.code == 0
    assert "root ::=" in result.out
    assert any(line.split()[:2] == ["max_nodes", "grammar"] for line in result.err.splitlines())
    assert cli("compile", "--max-nodes", 4, "--quiet").err == ""


def test_the_record_has_the_documented_shape(cli: Cli) -> None:
    record = json.loads(cli("compile", "--max-nodes", 4, "--format", "json").out)
    assert list(record) == ["dialect", "grammar", "constraints", "report", "masks", "minimum_tokens"]
    assert (record["dialect"], record["masks"], record["minimum_tokens"]) == ("xgrammar", None, None)
    assert all(set(entry) == {"constraint", "level", "detail"} for entry in record["report"])
    assert {entry["level"] for entry in record["report"]} <= {"grammar", "overlay", "checked", "unsupported"}


def test_each_option_sets_its_field(cli: Cli, example: Example) -> None:
    example("tools.json")
    found = constraints_of(
        cli,
        *(
            "--path",
            "/dynamic/x",
            "--max-nodes",
            5,
            "--min-nodes",
            2,
            "--allow-type",
            "end",
            "--allow-type",
            "tool_call",
        ),
        *("--tools", "tools.json", "--context", "city:string", "--context", "day", "--require-output", "flights"),
        *("--max-depth", 0, "--max-output-tokens", 900, "--max-text-chars", 50),
    )
    expected = Constraints(
        path="/dynamic/x",
        max_nodes=5,
        min_nodes=2,
        allowed_node_types=("end", "tool_call"),
        tools=json.loads((EXAMPLES / "tools.json").read_text()),
        context={"available_vars": {"city": "string", "day": "any"}, "required_outputs": ("flights",)},
        max_subgraph_depth=0,
        max_output_tokens=900,
        max_text_chars=50,
    )
    assert found == json.loads(expected.canonical_json)


def test_a_spec_gives_budget_tools_and_depth(cli: Cli, example: Example) -> None:
    spec = example("trip.md")
    found = constraints_of(cli, spec)
    assert [tool["name"] for tool in found["tools"]] == ["search_flights", "search_hotels"]
    assert (found["max_nodes"], found["max_subgraph_depth"]) == (12, 2)
    assert found == constraints_of(cli, "--spec", spec)
    assert found == constraints_of(cli, "-", stdin=spec.read_text())


def test_flags_win_over_file_over_environment_over_spec(
    cli: Cli, example: Example, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = example("trip.md")
    monkeypatch.setenv("AGENTIC_DSL_MAX_NODES", "9")
    assert constraints_of(cli, spec)["max_nodes"] == 9
    (folder / "c.json").write_text('{"max_nodes": 8, "max_text_chars": 10}')
    found = constraints_of(cli, spec, "--constraints", "c.json")
    assert (found["max_nodes"], found["max_text_chars"]) == (8, 10)
    assert constraints_of(cli, spec, "--constraints", "c.json", "--max-nodes", 7)["max_nodes"] == 7


def test_a_library_may_be_called(cli: Cli, example: Example) -> None:
    example("library/travel.md")
    found = constraints_of(cli, "--lib", "library")
    assert {entry["path"] for entry in found["libraries"]} == {"/lib/travel/currency", "/lib/travel/estimate"}


def test_the_example_constraints_fit_the_schema(cli: Cli) -> None:
    schema = json.loads(cli("schema", "constraints").out)
    jsonschema.validate(json.loads((EXAMPLES / "constraints.json").read_text()), schema)
    assert constraints_of(cli, "--constraints", EXAMPLES / "constraints.json")["path"] == "/dynamic/trip"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_compiled_by_flag_environment_and_file(
    cli: Cli, folder: Path, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads(cli("compile", "--dialect", dialect, "--format", "json").out)
    assert record["dialect"] == dialect
    assert record["grammar"].startswith("start: " if "llguidance" in dialect else "root ::= ")
    monkeypatch.setenv("AGENTIC_DSL_DIALECT", dialect)
    assert json.loads(cli("compile", "--format", "json").out) == record
    monkeypatch.delenv("AGENTIC_DSL_DIALECT")
    (folder / "agentic-dsl.toml").write_text(f'dialect = "{dialect}"\n', encoding="utf-8")
    assert json.loads(cli("compile", "--format", "json").out) == record


def test_a_dialect_that_there_is_not_is_named_with_those_there_are(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DSL_DIALECT", "lark")
    result = cli("compile")
    assert result.code == 2
    assert all(name in result.err for name in DIALECTS)


def test_overlay_is_claimed_only_where_our_matcher_reads_along(cli: Cli) -> None:
    for dialect, facts in DIALECTS.items():
        record = json.loads(cli("compile", "--dialect", dialect, "--format", "json").out)
        assert ("overlay" in {entry["level"] for entry in record["report"]}) is facts.matched


@pytest.mark.masks
@pytest.mark.parametrize("dialect", ["xgrammar", "gbnf", "llguidance"])
def test_the_fewest_tokens_are_told_and_a_smaller_budget_is_refused_with_them(cli: Cli, dialect: str) -> None:
    asked = ("compile", "--dialect", dialect, "--tokenizer", "bytes")
    record = json.loads(cli(*asked, "--format", "json").out)
    least = record["minimum_tokens"]
    assert (record["masks"] is not None) is (dialect == "xgrammar")
    assert f"the shortest answer takes {least} tokens of bytes, end token included" in cli(*asked).err
    assert cli(*asked, "--max-output-tokens", least).code == 0
    short = cli(*asked, "--max-output-tokens", least - 1)
    assert (short.code, short.out) == (2, "")
    assert f"max_output_tokens is {least - 1}, but the shortest answer takes {least} tokens" in short.err
    assert f"help: allow at least {least}" in short.err
    # Without a tokenizer nobody can count.
    assert cli("compile", "--dialect", dialect, "--max-output-tokens", 1).code == 0


@pytest.mark.masks
def test_the_fewest_tokens_are_those_of_an_answer_that_the_matcher_accepts(cli: Cli) -> None:
    tokenizer = load_tokenizer("bytes")
    record = json.loads(cli("compile", "--min-nodes", 3, "--tokenizer", "bytes", "--format", "json").out)
    least = record["minimum_tokens"]
    matcher = SemanticMatcher(Constraints(min_nodes=3), tokenizer, max_output_tokens=least)
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    for _ in range(least):  # with exactly so many, every token is forced
        matcher.fill_bitmask(bitmask, 0)
        words = bitmask[0].view("uint32").tolist()
        (token,) = (at * 32 + bit for at, word in enumerate(words) for bit in range(32) if word >> bit & 1)
        assert matcher.accept(token)
    assert matcher.is_terminated()


def test_a_tokenizer_of_the_settings_is_left_alone_where_it_says_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_DSL_TOKENIZER", "bytes")
    record = json.loads(cli("compile", "--dialect", "llguidance-parametric", "--format", "json").out)
    assert (record["masks"], record["minimum_tokens"]) == (None, None)


def test_the_result_can_be_a_file(cli: Cli, folder: Path) -> None:
    shown = cli("compile", "--quiet").out
    result = cli("compile", "-o", "x.ebnf")
    assert (result.code, result.out) == (0, "")
    assert (folder / "x.ebnf").read_text(encoding="utf-8") == shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-nodes", "3", "--min-nodes", "4"], "min_nodes is 4, more than max_nodes, which is 3"),
        (["--max-nodes", "0"], "max_nodes"),
        (["--max-nodes", "10001"], "max_nodes"),
        (["--path", "/main/x"], 'generation may not write "/main/x"'),
        (["--path", "no path"], '"no path" is not a path'),
        (["--allow-type", "dream_call"], '"dream_call" is no type'),
        (["--context", "a", "--context", "a:string"], '--context names "a" twice'),
        (["--context", "1a"], '"1a" is not a name'),
        (["--tools", "nowhere.json"], "nowhere.json cannot be read"),
        (["--tools", "object.json"], "holds no JSON array of objects"),
        (["--tools", "typo.json"], "nmae"),
        (["--tools", "double.json"], 'the tool "a" is declared twice'),
        (["--tools", "layout.json"], "characters that break the layout"),
        (["--tools", "schema.json"], "a"),
        (["--constraints", "array.json"], "holds no JSON object"),
        (["--constraints", "typo-constraints.json"], "max_node"),
        (["--spec", "bad.md"], "the spec bad.md cannot be read: line 5"),
        (["bad.md", "--spec", "bad.md"], "both name a document"),
        (["--spec", "-", "--tools", "-"], "--spec and --tools both read standard input"),
        (
            ["--dialect", "llguidance-parametric", "--tokenizer", "bytes"],
            "the fewest tokens of an answer in the dialect",
        ),
        (["--dialect", "llguidance-parametric", "--max-nodes", "33"], "no more than 32 ids"),
        (["--dialect", "llguidance-parametric", "--require-output", "x"], "cannot enforce required outputs"),
        (["--dialect", "lark"], "lark"),
        (["--allow-type", "fork"], "no subgraph of fork alone"),
        (["--allow-type", "end", "--min-nodes", "2"], "min_nodes is 2"),
        (["--allow-type", "end", "--require-output", "x"], 'nothing can write the required output "x"'),
        (["--tokenizer", "no/such/tokenizer.json"], "no/such/tokenizer.json"),
        (["-o", "no/folder/x.ebnf"], "no/folder/x.ebnf cannot be written"),
    ],
)
def test_what_cannot_be_used_is_a_failure_that_says_why(
    cli: Cli, folder: Path, arguments: list[str], message: str
) -> None:
    files = {
        "object.json": "{}",
        "array.json": "[]",
        "typo.json": '[{"nmae": "x"}]',
        "double.json": '[{"name": "a"}, {"name": "a"}]',
        "layout.json": json.dumps([{"name": "a\nb"}]),
        "schema.json": json.dumps([{"name": "a", "parameters": {"type": "object", "properties": {"x": {"type": 3}}}}]),
        "typo-constraints.json": '{"max_node": 3}',
        "bad.md": "### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes: [\n```\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    result = cli("compile", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "help: " in result.err
    failure = json.loads(cli("compile", *arguments, "--format", "json").out)["error"]
    assert message in failure["message"]


def test_both_schemas_are_schemas(cli: Cli) -> None:
    both = json.loads(cli("schema").out)
    assert list(both) == ["ast", "constraints"]
    for name, schema in both.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads(cli("schema", name).out) == schema


@pytest.mark.masks
def test_masks_are_stored_found_verified_and_removed(cli: Cli, folder: Path) -> None:
    first = json.loads(cli("compile", "--tokenizer", "bytes", "--format", "json").out)["masks"]
    assert (first["cached"], Path(first["path"]).stat().st_size) == (False, first["bytes"])
    assert json.loads(cli("cache", "build", "--tokenizer", "bytes", "--format", "json").out)["masks"]["cached"]
    (entry,) = json.loads(cli("cache", "ls", "--format", "json").out)["entries"]
    assert (entry["key"], entry["path"]) == (first["key"], first["path"])
    assert cli("cache", "verify").code == 0
    Path(first["path"]).write_bytes(b"tampered" + Path(first["path"]).read_bytes()[8:])
    damaged = cli("cache", "verify")
    assert damaged.code == 1
    assert first["path"] in damaged.out
    again = json.loads(cli("compile", "--tokenizer", "bytes", "--format", "json").out)["masks"]
    assert (again["cached"], again["key"]) == (False, first["key"])
    removed = json.loads(cli("cache", "gc", "--max-size", "0", "--format", "json").out)
    assert (removed["removed"], removed["bytes_after"]) == ([first["path"]], 0)
    assert cli("cache", "ls").out == ""


@pytest.mark.parametrize(("text", "code"), [("12", 0), ("1.5G", 2), ("x", 2), ("", 2), ("200M", 0), ("3 KiB", 0)])
def test_sizes_are_read(cli: Cli, text: str, code: int) -> None:
    assert cli("cache", "gc", "--max-size", text).code == code


def test_config_show_tells_where_each_value_comes_from(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "agentic-dsl.toml").write_text("max-nodes = 7\n", encoding="utf-8")
    monkeypatch.setenv("AGENTIC_DSL_SEED", "3")
    shown = {line.split()[0]: line for line in cli("config", "show").out.splitlines()}
    assert shown["max-nodes"].endswith(f"= 7  (file {folder / 'agentic-dsl.toml'})")
    assert shown["seed"].endswith("= 3  (environment AGENTIC_DSL_SEED)")
    assert shown["min-nodes"].endswith("= 1  (default)")
    records = {entry["name"]: entry for entry in json.loads(cli("config", "show", "--format", "json").out)["settings"]}
    assert records["max-nodes"]["value"] == 7
    assert (records["seed"]["origin"], records["seed"]["where"]) == ("environment", "AGENTIC_DSL_SEED")


def test_a_cache_folder_of_a_project_file_is_used(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTIC_DSL_CACHE_DIR")
    (folder / "agentic-dsl.toml").write_text('cache-dir = "here"\n', encoding="utf-8")
    found = json.loads(cli("cache", "ls", "--format", "json").out)
    monkeypatch.delenv("AGENTIC_DSL_CACHE_DIR", raising=False)
    assert found["folder"] == str(folder / "here" / "masks")
