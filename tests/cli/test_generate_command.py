"""`generate` with the random engine, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import EXAMPLES, Cli

TOOLS = EXAMPLES / "tools.json"
SMALL = ("--max-nodes", 3, "--max-text-chars", 20, "--engine", "random", "--model", "bytes")


def test_a_dry_run_prints_prompt_and_grammar(cli: Cli) -> None:
    result = cli("generate", "Find a hotel.", "--tools", TOOLS, "--dry-run")
    assert result.code == 0
    assert result.out.startswith("--- prompt: system\n")
    assert "--- prompt: user\nTask: Find a hotel.\n" in result.out
    assert "root ::=" in result.out.partition("--- grammar: xgrammar\n")[2]
    record = json.loads(cli("generate", "Find a hotel.", "--tools", TOOLS, "--dry-run", "--format", "json").out)
    roles = [turn["role"] for turn in record["prompt"]]
    assert (roles[0], roles[-1]) == ("system", "user")
    assert "Find a hotel." in record["prompt"][-1]["content"]
    assert record["grammar"] in result.out


def test_the_task_can_come_from_standard_input(cli: Cli) -> None:
    result = cli("generate", "-", "--dry-run", stdin="Find a hötel.\n")
    assert "Task: Find a hötel.\n" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["", "--dry-run"], "the task is empty"),
        (["-", "--spec", "-"], "PROMPT and --spec both read standard input"),
        (["x", "--temperature", "-1"], "temperature"),
        (["x", "--n", "0"], "n"),
        (["x", "--engine", "magic"], "magic"),
    ],
)
def test_wrong_usage_is_named(cli: Cli, arguments: list[str], message: str) -> None:
    result = cli("generate", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_model_that_is_not_pulled_names_the_command(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(folder / "no-models"))
    result = cli("generate", "x")
    assert result.code == 2
    assert "agentic-dsl models pull smollm2" in result.err


@pytest.mark.masks
def test_an_answer_of_the_random_engine_is_a_block(cli: Cli) -> None:
    result = cli("generate", "x", *SMALL, "--seed", 1)
    assert result.code in (0, 1)
    assert result.out.startswith("### AgenticDSL `/dynamic/plan`\n```yaml\n")
    # A random text may run into its token limit; then it is said to be cut.
    assert result.out.endswith("```\n") or "ADL711" in result.err
    assert result.err.splitlines()[-1].startswith("valid: " if result.code == 0 else "invalid: ")


@pytest.mark.masks
def test_the_record_has_the_documented_shape_and_a_seed_repeats_it(cli: Cli) -> None:
    arguments = ("generate", "x", *SMALL, "--seed", 1, "--format", "json")
    result = cli(*arguments)
    record = json.loads(result.out)
    keys = ["valid", "kind", "text", "subgraph", "diagnostics", "report", "stats", "token_ids", "cached", "skills"]
    assert list(record) == keys
    assert record["valid"] is (result.code == 0)
    assert record["kind"] == "subgraph"
    assert record["subgraph"]["path"] == "/dynamic/plan"
    assert {"id", "type"} <= set(record["subgraph"]["nodes"][0])
    again = json.loads(cli(*arguments).out)
    assert again["text"] == record["text"]
    assert again["token_ids"] == record["token_ids"]


@pytest.mark.masks
def test_answers_are_valid_unless_only_the_grammar_is_enforced(cli: Cli) -> None:
    for seed in range(3):
        assert cli("generate", "x", *SMALL, "--seed", seed).code == 0
    codes = {cli("generate", "x", *SMALL, "--seed", seed, "--grammar-only").code for seed in range(6)}
    assert 1 in codes


@pytest.mark.masks
def test_without_jump_forward_every_token_takes_a_pass(cli: Cli) -> None:
    arguments = ("generate", "x", *SMALL, "--seed", 1, "--format", "json")
    quick = json.loads(cli(*arguments).out)["stats"]
    slow = json.loads(cli(*arguments, "--no-jump-forward").out)["stats"]
    assert slow["jump_forward_tokens"] == 0 < quick["jump_forward_tokens"]
    assert slow["forward_passes"] == slow["tokens"]


@pytest.mark.masks
def test_a_stream_off_a_terminal_is_one_line_a_node(cli: Cli) -> None:
    arguments = ("generate", "x", *SMALL, "--seed", 1)
    result, plain = cli(*arguments, "--stream"), cli(*arguments)
    assert result.code == 0
    assert result.out == plain.out
    *lines, last = result.err.splitlines()
    assert lines
    assert last.startswith("valid: ")
    assert result.err.replace("\n", "").isprintable()
    record = json.loads(cli(*arguments, "--format", "json").out)
    nodes = record["subgraph"]["nodes"]
    assert [line.split(" -> ")[0] for line in lines] == [f"{node['id']}: {node['type']}" for node in nodes]
    assert cli(*arguments, "--stream", "--quiet").err == ""


@pytest.mark.masks
def test_a_stream_in_json_is_one_object_a_line(cli: Cli) -> None:
    result = cli("generate", "x", *SMALL, "--seed", 1, "--stream", "--format", "json")
    *nodes, final = [json.loads(line) for line in result.out.splitlines()]
    assert [record["node"] for record in nodes] == final["subgraph"]["nodes"]
    assert final["valid"] is True


def test_a_stream_of_several_answers_is_refused(cli: Cli) -> None:
    result = cli("generate", "x", "--stream", "--n", 2)
    assert result.code == 2
    assert "--stream shows one answer" in result.err


@pytest.mark.masks
def test_several_answers_differ(cli: Cli) -> None:
    record = json.loads(cli("generate", "x", *SMALL, "--seed", 1, "--n", 3, "--format", "json").out)
    assert len({generation["text"] for generation in record["generations"]}) == 3


@pytest.mark.masks
def test_an_answer_cut_by_the_budget_is_invalid_and_says_so(cli: Cli) -> None:
    result = cli("generate", "x", *SMALL, "--seed", 1, "--max-output-tokens", 60)
    assert result.code in (1, 2)
    assert "max_output_tokens" in result.err or "ADL711" in result.err


@pytest.mark.model
def test_the_embedded_model_writes_a_block(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_dsl.runtime.models import model_path

    if model_path("smollm2") is None:
        pytest.skip("the model smollm2 is not pulled")
    result = cli("generate", "Greet the user.", "--max-nodes", 3, "--max-output-tokens", 60, "--format", "json")
    record = json.loads(result.out)
    assert result.code == (0 if record["valid"] else 1)
    assert record["text"].startswith("### AgenticDSL `/dynamic/plan`\n")
    assert record["stats"]["tokens"] == len(record["token_ids"])


# --- mixed answers ---------------------------------------------------------------------------------------------------

MIXED = (*SMALL, "--allow-free-text", "--max-output-tokens", 190, "--seed", 1)


@pytest.mark.masks
def test_plain_text_is_printed_and_named_where_it_is_allowed(cli: Cli, folder: Path) -> None:
    result = cli("generate", "x", *MIXED, "--format", "json")
    record = json.loads(result.out)
    assert (result.code, record["kind"], record["valid"], record["subgraph"]) == (0, "text", True, None)
    assert record["text"]
    shown = cli("generate", "x", *MIXED, "-o", "answer.txt")
    assert shown.code == 0
    assert shown.err.splitlines()[-2].startswith("valid: plain text, ")
    with (folder / "answer.txt").open(encoding="utf-8", newline="") as file:
        assert file.read() == record["text"].removesuffix("\n") + "\n"
    assert "plain text" not in cli("generate", "x", *SMALL, "--seed", 1).err


@pytest.mark.masks
def test_plain_text_streams_no_node(cli: Cli) -> None:
    result = cli("generate", "x", *MIXED, "--stream", "--format", "json")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["kind"] for record in records] == ["text"]


@pytest.mark.masks
def test_plain_text_steers_no_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentic_dsl.cli import generate

    raw = json.loads(cli("generate", "x", *MIXED, "--format", "json").out)["text"]
    assert any(ord(character) < 0x20 for character in raw)
    monkeypatch.setattr(generate, "is_terminal", lambda stream: True)
    shown = cli("generate", "x", *MIXED, "--quiet").out
    assert not any(ord(character) < 0x20 for character in shown.replace("\n", ""))


def test_an_answer_from_the_cache_is_said_to_be_one_and_both_requests_are_traced(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_DSL_CACHE_DIR", str(tmp_path / "cache"))
    asked = ("generate", "Anything.", *SMALL, "--seed", 1, "--cached", "--trace", tmp_path / "trace.jsonl")
    first, second = cli(*asked), cli(*asked)
    assert first.out == second.out
    assert " tokens in " in first.err
    assert "from the cache" not in first.err
    assert "from the cache" in second.err
    lines = (tmp_path / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["cached"] for line in lines] == [False, True]
