"""``agentic-dsl skills detect``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

from agentic_dsl.cli.skills_detect import RankerChoice
from agentic_dsl.skills.detector import DEFAULT_LIMIT, RANKERS, SkillDetector
from agentic_dsl.skills.folders import library_folder

LIBRARY = library_folder()
FORK = "Run both searches in parallel and merge the branches."

SKILL = "---\nname: {name}\ndescription: {description}\n---\n# {name}\n\nDo it.\n"


def write(root: Path, name: str, description: str) -> Path:
    (root / name).mkdir(parents=True)
    (root / name / "SKILL.md").write_text(SKILL.format(name=name, description=description), encoding="utf-8")
    return root


def test_the_names_are_printed_those_that_are_required_first(cli: Cli) -> None:
    result = cli("skills", "detect", FORK, "--root", LIBRARY)
    assert (result.code, result.out, result.err) == (0, "writing-agenticdsl\nfork-and-join\n", "")


def test_a_request_can_come_from_stdin(cli: Cli) -> None:
    assert cli("skills", "detect", "-", "--root", LIBRARY, stdin=FORK).out.endswith("fork-and-join\n")
    result = cli("skills", "detect", "-", "--root", LIBRARY, stdin=b"\xff\xfe")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: the request - is not UTF-8")


def test_where_no_skill_is_needed_stdout_is_empty(cli: Cli) -> None:
    result = cli("skills", "detect", "What is the capital of Australia?", "--root", LIBRARY)
    assert (result.code, result.out) == (0, "")
    assert result.err == "no skill is needed; --explain tells what came closest\n"


def test_explain_shows_terms_and_fields(cli: Cli) -> None:
    out = cli("skills", "detect", FORK, "--root", LIBRARY, "--explain").out.splitlines()
    assert out[0].endswith("ranker lexical")
    assert any(line.startswith("+ fork-and-join") and "the threshold is 1.25" in line for line in out)
    assert any(line.endswith("parallel in description, tags") for line in out)


def test_json_has_the_same_data(cli: Cli) -> None:
    record = json.loads(cli("skills", "detect", FORK, "--root", LIBRARY, "--format", "json").out)
    assert [row["name"] for row in record["selected"]] == ["writing-agenticdsl", "fork-and-join"]
    assert record["selected"][0]["required_by"] == ["fork-and-join"]


@pytest.mark.parametrize("ranker", RANKERS)
def test_every_ranker_can_be_chosen(cli: Cli, ranker: str) -> None:
    record = json.loads(cli("skills", "detect", FORK, "--root", LIBRARY, "--ranker", ranker, "--format", "json").out)
    assert record["ranker"] == ranker
    assert "fork-and-join" in [row["name"] for row in record["selected"]]


def test_the_options_are_those_of_the_detector(cli: Cli) -> None:
    assert [choice.value for choice in RankerChoice] == list(RANKERS)
    asked = "watching otters, herons, beavers, pikes and frogs from boats"
    folder = Path("many")
    for number in range(5):
        write(folder, f"otters-{number}", asked)
    assert len(cli("skills", "detect", asked, "--root", folder).out.split()) == DEFAULT_LIMIT
    assert cli("skills", "detect", asked, "--root", folder, "--limit", 1).out == "otters-0\n"


def test_a_skill_that_does_not_fit_the_budget_is_a_failure_where_it_was_asked_for(cli: Cli) -> None:
    result = cli("skills", "detect", "x", "--skill", "fork-and-join", "--root", LIBRARY, "--budget", 100)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith('"fork-and-join" is left out: it takes ')
    assert cli("skills", "detect", FORK, "--root", LIBRARY, "--budget", 100).code == 0


def test_an_unknown_skill_is_a_wrong_use_with_a_help(cli: Cli) -> None:
    result = cli("skills", "detect", "x", "--skill", "fork-and-jon", "--root", LIBRARY)
    assert result.code == 2
    assert result.err == 'error: there is no skill "fork-and-jon"\nhelp: write "fork-and-join" if that is meant\n'


@pytest.mark.parametrize("wrong", [["--budget", "-1"], ["--limit", "-1"], ["--ranker", "x"], ["--root", "nowhere"]])
def test_wrong_options_are_told_without_a_traceback(cli: Cli, wrong: list[str]) -> None:
    result = cli("skills", "detect", "x", *wrong)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")


def test_the_first_of_several_roots_has_the_say(cli: Cli) -> None:
    first = write(Path("first"), "otters", "Watching otters in rivers.")
    second = write(Path("second"), "otters", "Selling carpets in shops.")
    detect = ("skills", "detect", "watching otters in rivers", "--root")
    assert cli(*detect, first, "--root", second).out == "otters\n"
    assert cli(*detect, second, "--root", first).out == ""


def test_an_empty_root_and_an_empty_request_need_no_skill(cli: Cli) -> None:
    Path("empty").mkdir()
    assert cli("skills", "detect", FORK, "--root", "empty").code == 0
    assert cli("skills", "detect", "", "--root", LIBRARY).out == ""


def test_broken_skills_are_mentioned_and_the_others_used(cli: Cli) -> None:
    root = write(Path("some"), "otters", "Watching otters in rivers.")
    (root / "broken").mkdir()
    (root / "broken" / "SKILL.md").write_text("no front matter")
    result = cli("skills", "detect", "watching otters in rivers", "--root", root)
    assert (result.code, result.out) == (0, "otters\n")
    assert "in other skills" in result.err


def test_control_characters_of_a_request_do_not_reach_the_terminal(cli: Cli) -> None:
    result = cli("skills", "detect", f"$fork-and-joi \x1b[31m{FORK}", "--root", LIBRARY, "--explain")
    assert "\x1b" not in result.out + result.err
    assert result.code == 1


def test_a_request_of_a_megabyte_is_answered_at_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    detect = SkillDetector.detect

    def counting(self: SkillDetector, request: str, **rest: object) -> object:
        seen.append(len(request))
        return detect(self, request, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SkillDetector, "detect", counting)
    result = cli("skills", "detect", "-", "--root", LIBRARY, "--explain", stdin=FORK + " and so on" * 110_000)
    assert seen[0] > 1_000_000
    assert "only its beginning and its end were read" in result.out
    assert "+ fork-and-join" in result.out
