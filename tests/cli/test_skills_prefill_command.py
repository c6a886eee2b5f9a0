"""``agentic-dsl skills prefill``, with a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_models import save_tiny_model  # after the skip

SMALL = ("--max-nodes", 2, "--max-text-chars", 20, "--allow-type", "assign", "--allow-type", "end")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


def write(root: Path, name: str, body: str, more: str = "") -> None:
    (root / name).mkdir(parents=True)
    text = f"---\nname: {name}\ndescription: How to {name}. Use it for that.\n{more}---\n{body}\n"
    (root / name / "SKILL.md").write_text(text, encoding="utf-8")


@pytest.fixture
def skills(folder: Path) -> Path:
    root = folder / "my-skills"
    write(root, "cooking", "Weigh the flour first. " * 8)
    write(root, "baking", "Heat the oven. " * 9, "metadata:\n  requires: cooking\n")
    return root


def prefill(model: Path, *more: object) -> tuple[object, ...]:
    engine = ("--engine", "transformers", "--model", model, "--engine-option", "dtype=float32")
    return ("skills", "prefill", "--root", "my-skills", *engine, *SMALL, *more)


def test_every_skill_is_read_once_for_all_processes(cli: Cli, skills: Path, model: Path) -> None:
    result = cli(*prefill(model))
    assert result.code == 0, result.err
    header, *lines = result.out.splitlines()
    assert header.split() == ["skill", "tokens", "read", "seconds"]
    assert [line.split()[0] for line in lines if line.split()[0] in ("baking", "cooking")] == ["baking", "cooking"]
    assert result.err.endswith("tokens read, saved for other processes\n")
    again = json.loads(cli(*prefill(model, "--format", "json")).out)
    assert again["saved"] is True
    assert [row["name"] for row in again["skills"]] == ["baking", "cooking"]
    assert all(row["reused"] == row["tokens"] > 0 for row in again["skills"])
    assert cli(*prefill(model)).err.endswith("0 tokens read, saved for other processes\n")


def test_a_skill_that_was_changed_is_read_again_and_what_comes_before_it_is_not(
    cli: Cli, skills: Path, model: Path
) -> None:
    first = json.loads(cli(*prefill(model, "--format", "json")).out)["skills"]
    path = skills / "baking" / "SKILL.md"
    path.write_text(path.read_text(encoding="utf-8").replace("oven", "fire"), encoding="utf-8")
    second = json.loads(cli(*prefill(model, "--format", "json")).out)["skills"]
    read = [row["tokens"] - row["reused"] for row in second]
    assert read[1] == 0
    # All but the language and what it requires, which is also what the other skill found read.
    assert second[0]["reused"] == first[1]["reused"]
    assert 9 * len("Heat the fire. ") <= read[0] < second[0]["tokens"]


def test_a_request_in_another_process_begins_with_what_was_saved(cli: Cli, skills: Path, model: Path) -> None:
    pytest.importorskip("xgrammar")
    [row] = json.loads(cli(*prefill(model, "--only", "baking", "--format", "json")).out)["skills"]
    engine = ("--engine", "transformers", "--model", model, "--engine-option", "dtype=float32")
    result = cli("generate", "x", "--skills", skills, "--skill", "baking", *engine, *SMALL, "--format", "json")
    assert result.code in (0, 1), result.err
    assert json.loads(result.out)["stats"]["cached_tokens"] == row["tokens"]


def test_only_names_the_skills(cli: Cli, skills: Path, model: Path) -> None:
    record = json.loads(cli(*prefill(model, "--only", "cooking", "--format", "json")).out)
    assert [row["name"] for row in record["skills"]] == ["cooking"]
    wrong = cli(*prefill(model, "--only", "swimming"))
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == 'error: there is no skill "swimming"\nhelp: list them: agentic-dsl skills list\n'


def test_a_queue_in_the_settings_does_not_hide_the_engine(cli: Cli, skills: Path, model: Path) -> None:
    Path("pyproject.toml").write_text("[tool.agentic-dsl.batch]\nmax_batch_size = 4\n", encoding="utf-8")
    result = cli(*prefill(model))
    assert result.err.endswith("tokens read, saved for other processes\n"), result.err


def test_a_disk_that_is_full_is_told(cli: Cli, skills: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    result = cli(*prefill(model))
    assert result.code == 0
    assert result.err.endswith("tokens read, not all of it saved\n")
    assert json.loads(cli(*prefill(model, "--format", "json")).out)["saved"] is False


def test_a_skill_larger_than_the_context_is_named_with_the_numbers(cli: Cli, skills: Path, folder: Path) -> None:
    small = save_tiny_model(folder / "small", context=3_000)
    write(skills, "endless", "word " * 2_000)
    result = cli(*prefill(small))
    assert (result.code, result.out) == (2, "")
    message, help = result.err.splitlines()[-2:]
    assert message.startswith('error: the skill "endless": the prompt takes 1')
    assert message.endswith(" tokens: more than the 3,000 that the model can hold")
    assert help.startswith("help: shorten the task")
    assert cli(*prefill(small, "--only", "baking")).code == 0


def test_an_engine_that_keeps_no_prefixes_says_so(cli: Cli, skills: Path) -> None:
    result = cli("skills", "prefill", "--root", skills, "--engine", "random", "--model", "bytes")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines() == [
        "error: random/bytes keeps no prefixes",
        "help: give it a cache, or use another engine",
    ]


def test_without_skills_nothing_is_read(cli: Cli, model: Path) -> None:
    Path("my-skills").mkdir()
    result = cli(*prefill(model))
    assert result.code == 0
    assert "0 tokens read" in result.err


def test_a_broken_skill_is_told_and_the_others_are_read(cli: Cli, skills: Path, model: Path) -> None:
    (skills / "cooking" / "SKILL.md").write_text("no front matter\n", encoding="utf-8")
    write(skills, "sewing", "Thread the needle. " * 9)
    result = cli(*prefill(model))
    assert "sewing" in result.out
    assert "cooking" not in result.out
    assert "agentic-dsl skills validate" in result.err
