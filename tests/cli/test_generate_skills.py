"""``generate --skills`` and ``--skill``: what the model is given, what is refused, what is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

TYRE = "Mend the puncture of a bicycle tyre."
NEITHER = "What is the capital of Australia?"
SMALL = ("--max-nodes", 3, "--max-text-chars", 20, "--engine", "random", "--model", "bytes", "--seed", 1)


def write(root: Path, name: str, description: str, more: str = "", tools: str = "") -> None:
    (root / name / "assets").mkdir(parents=True)
    text = f"---\nname: {name}\ndescription: {description}\n{more}---\nThe body of {name}.\n"
    (root / name / "SKILL.md").write_text(text, encoding="utf-8")
    if tools:
        (root / name / "assets" / "tools.json").write_text(tools, encoding="utf-8")


@pytest.fixture
def skills(folder: Path) -> Path:
    root = folder / "my-skills"
    tools = '[{"name": "pump", "description": "Pumps air."}]'
    more = "metadata:\n  tools: assets/tools.json\n"
    write(root, "mending-tyres", "How to mend a flat bicycle tyre. Use for a puncture, patches.", more, tools)
    write(root, "baking-bread", "How to bake bread with yeast. Use for dough, loaves.")
    return root


def system_text(cli: Cli, *arguments: object) -> str:
    result = cli("generate", *arguments, "--dry-run", "--format", "json")
    assert result.code == 0, result.err
    return str(json.loads(result.out)["prompt"][0]["content"])


def test_a_dry_run_shows_the_skills_that_the_task_needs(cli: Cli, skills: Path) -> None:
    text = system_text(cli, TYRE, "--skills", skills)
    assert "# Skill: mending-tyres\n\nThe body of mending-tyres." in text
    assert "baking-bread" not in text
    assert "Skill:" not in system_text(cli, NEITHER, "--skills", skills)
    assert "Skill:" not in system_text(cli, TYRE)


def test_tools_of_a_skill_are_in_prompt_and_grammar(cli: Cli, skills: Path) -> None:
    result = cli("generate", TYRE, "--skills", skills, "--dry-run")
    prompt, _, grammar = result.out.partition("--- grammar: xgrammar\n")
    assert "pump() # Pumps air" in prompt
    assert "pump" in grammar
    assert "pump" not in cli("generate", NEITHER, "--skills", skills, "--dry-run").out


def test_a_skill_by_name_is_there_in_any_case(cli: Cli, skills: Path) -> None:
    text = system_text(cli, TYRE, "--skills", skills, "--skill", "baking-bread")
    assert text.index("# Skill: baking-bread") < text.index("# Skill: mending-tyres")
    both = system_text(cli, NEITHER, "--skills", skills, "--skill", "mending-tyres", "--skill", "baking-bread")
    assert both == text, "the same skills in another order are the same text"


def test_without_a_folder_a_skill_is_looked_for_where_skills_lie(cli: Cli, skills: Path) -> None:
    assert "# Skill: writing-agenticdsl" in system_text(cli, NEITHER, "--skill", "writing-agenticdsl")
    skills.rename("skills")
    assert "# Skill: baking-bread" in system_text(cli, NEITHER, "--skill", "baking-bread")


def test_the_project_file_can_name_the_folder(cli: Cli, skills: Path) -> None:
    Path("pyproject.toml").write_text('[tool.agentic-dsl]\nskills = ["my-skills"]\n', encoding="utf-8")
    assert "# Skill: mending-tyres" in system_text(cli, TYRE)


@pytest.mark.parametrize(
    ("arguments", "message", "help"),
    [
        (["--skill", "baking-braed"], 'there is no skill "baking-braed"', 'write "baking-bread" if that is meant'),
        (["--skills", "nowhere"], "nowhere", ""),
        (["--skills", "my-skills/baking-bread/SKILL.md"], "SKILL.md", ""),
    ],
)
@pytest.mark.parametrize("more", [("--dry-run",), ("--engine", "random", "--model", "bytes")], ids=["dry", "run"])
def test_wrong_use_is_named(
    cli: Cli, skills: Path, arguments: list[str], message: str, help: str, more: tuple[str, ...]
) -> None:
    result = cli("generate", TYRE, "--skills", skills, *arguments, *more)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert message in result.err
    assert help in result.err


@pytest.mark.masks
def test_an_answer_says_which_skills_it_was_written_with(cli: Cli, skills: Path) -> None:
    pytest.importorskip("xgrammar")
    result = cli("generate", TYRE, *SMALL, "--skills", skills, "--skill", "baking-bread")
    assert result.code == 0, result.err
    assert result.err.splitlines()[-1].endswith(", with baking-bread, mending-tyres")
    record = json.loads(cli("generate", TYRE, *SMALL, "--skills", skills, "--format", "json").out)
    assert (record["skills"], record["cached"]) == (["mending-tyres"], False)
    assert " with " not in cli("generate", NEITHER, *SMALL, "--skills", skills).err


@pytest.mark.masks
def test_a_stream_is_the_answer_with_the_same_skills(cli: Cli, skills: Path) -> None:
    pytest.importorskip("xgrammar")
    arguments = ("generate", TYRE, *SMALL, "--skills", skills)
    stream, plain = cli(*arguments, "--stream"), cli(*arguments)
    assert (stream.code, stream.out) == (plain.code, plain.out)
    assert stream.err.splitlines()[-1].endswith(", with mending-tyres")


@pytest.mark.masks
def test_uses_are_counted_once_a_request(cli: Cli, skills: Path) -> None:
    pytest.importorskip("xgrammar")
    cli("generate", TYRE, *SMALL, "--skills", skills, "--n", 2)
    cli("generate", NEITHER, *SMALL, "--skills", skills)
    cli("generate", TYRE, "--skills", skills, "--dry-run")
    record = json.loads(cli("skills", "stats", "--format", "json").out)
    [row] = record["skills"]
    assert (row["skill"], row["uses"]) == ("mending-tyres", 2)


@pytest.mark.masks
def test_cached_answers_are_kept_apart_by_their_skills(cli: Cli, skills: Path) -> None:
    pytest.importorskip("xgrammar")
    arguments = ("generate", NEITHER, *SMALL, "--cached", "--skills", skills)
    assert "from the cache" not in cli(*arguments).err
    assert "from the cache" in cli(*arguments).err
    assert "from the cache" not in cli(*arguments, "--skill", "baking-bread").err
    assert "from the cache" in cli(*arguments, "--skill", "baking-bread").err
    path = skills / "baking-bread" / "SKILL.md"
    path.write_text(path.read_text(encoding="utf-8") + "More.\n", encoding="utf-8")
    assert "from the cache" not in cli(*arguments, "--skill", "baking-bread").err
