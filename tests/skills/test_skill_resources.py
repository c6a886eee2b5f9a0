"""The files of a skill: what counts, what is refused, and that nothing outside is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from skill_folders import BODY, found, write_files, write_skill

from agentic_dsl.errors import UsageError
from agentic_dsl.skills import skill_files
from agentic_dsl.skills.manifest import load_skill
from agentic_dsl.skills.skill_files import MAX_MANIFEST, MAX_RESOURCE, SkillFileError, read_file


def body(text: str) -> str:
    return f"{BODY}\n{text}\n"


@pytest.mark.parametrize(
    "reference",
    [
        "[x](../secret.md)",
        "[x](/etc/passwd)",
        "[x](references/../../secret.md)",
        "[x](./../secret.md)",
        "[x](%2e%2e/secret.md)",
        "[x](<../secret.md>)",
        "![x](../secret.png)",
        "Run `scripts/../../secret.sh`.",
        "Read ../other/../references/../../x.md" + " and [x](../y.md).",
        "Run ../references/x.md",
    ],
)
def test_a_reference_that_leads_out_of_the_folder_is_refused(tmp_path: Path, reference: str) -> None:
    reading = load_skill(write_skill(tmp_path, body=body(reference)))
    assert {(code, line) for code, line, _ in found(reading)} == {("SKL204", 9)}
    assert reading.skill is None


@pytest.mark.parametrize(
    "text",
    [
        "[x](references/a.md) and [again](./references/a.md#part) and `references/a.md`.",
        "See references/a.md.",
        "[x](https://example.org/../y) [m](mailto:a@b.c) [h](#part) [p](//example.org/x)",
        "```markdown\n[x](../example.md)\n```",
        "~~~\n[x](/abs)\n~~~",
        "Work in src/references/none.md or https://x.org/scripts/none.sh or C:\\assets/none.",
        "Write references/<name>.md or references/*.md or assets/{name}.json or scripts/.",
        "[x](references/a.md?raw=1) [y](references/a%2Emd)",
        "and/or references, scripts and assets",
        "[self](SKILL.md)",
    ],
)
def test_what_is_there_or_is_no_reference_is_fine(tmp_path: Path, text: str) -> None:
    assert found(load_skill(write_skill(tmp_path, body=body(text), files={"references/a.md": "x"}))) == []


def test_a_missing_resource_is_found_once_with_the_right_name(tmp_path: Path) -> None:
    text = "Read references/tones.md, really: references/tones.md. [x](guide.md)"
    reading = load_skill(write_skill(tmp_path, body=body(text), files={"references/tone.md": "x"}))
    assert found(reading) == [("SKL203", 9, 6), ("SKL203", 9, 60)]
    assert '"references/tone.md"' in (reading.diagnostics[0].help or "")
    assert "put the file in scripts/" in (reading.diagnostics[1].help or "")
    assert reading.skill is not None


@pytest.mark.parametrize("place", ["references/a.md", "references", "SKILL.md"])
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    outside = write_files(tmp_path / "outside", {"a.md": "secret", "SKILL.md": "secret"})
    folder = write_skill(tmp_path / "root", files={"assets/b.md": "x"})
    link = folder / place
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(outside if place == "references" else outside / link.name)
    reading = load_skill(folder)
    assert [code for code, _, _ in found(reading)] == ["SKL204"]
    assert reading.skill is None
    assert "secret" not in reading.source.text


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    folder = write_skill(tmp_path, files={"references/a.md": "x"})
    (folder / "references/b.md").symlink_to("a.md")
    skill = load_skill(folder).skill
    assert skill is not None
    assert [resource.path for resource in skill.resources] == ["references/a.md", "references/b.md"]
    assert skill.read("references/b.md") == b"x"


def test_a_resource_that_becomes_a_link_to_the_outside_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    folder = write_skill(tmp_path / "root", files={"references/a.md": "x"})
    skill = load_skill(folder).skill
    assert skill is not None
    (folder / "references/a.md").unlink()
    (folder / "references/a.md").symlink_to(secret)
    with pytest.raises(UsageError, match="leads out"):
        skill.read("references/a.md")


def test_a_skill_folder_may_be_a_link_and_is_called_like_it(tmp_path: Path) -> None:
    folder = write_skill(tmp_path / "shared" / "v1", "linked")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "linked").symlink_to(folder)
    assert load_skill(tmp_path / "root" / "linked").skill is not None


def test_a_dangling_link_is_a_finding(tmp_path: Path) -> None:
    folder = write_skill(tmp_path, files={"references/a.md": "x"})
    (folder / "references/b.md").symlink_to("none.md")
    assert [code for code, _, _ in found(load_skill(folder))] == ["SKL207"]


def test_a_pipe_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    folder = write_skill(tmp_path, files={"references/a.md": "x"})
    os.mkfifo(folder / "references" / "pipe")
    assert [code for code, _, _ in found(load_skill(folder))] == ["SKL207"]
    with pytest.raises(SkillFileError, match="no file"):
        read_file(folder, "references/pipe", 10)
    (folder / "references" / "pipe").unlink()
    (folder / "SKILL.md").unlink()
    os.mkfifo(folder / "SKILL.md")
    assert [code for code, _, _ in found(load_skill(folder))] == ["SKL004"]


def test_a_manifest_may_have_exactly_a_mebibyte(tmp_path: Path) -> None:
    folder = write_skill(tmp_path)
    text = (folder / "SKILL.md").read_text()
    (folder / "SKILL.md").write_text(text + "x" * (MAX_MANIFEST - len(text)))
    assert [code for code, _, _ in found(load_skill(folder))] == ["SKL202"]
    (folder / "SKILL.md").write_text(text + "x" * (MAX_MANIFEST - len(text) + 1))
    assert [code for code, _, _ in found(load_skill(folder))] == ["SKL002"]


def test_a_resource_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_skill(tmp_path, body=body("See assets/a.bin"), files={"assets/a.bin": b""})
    os.truncate(folder / "assets/a.bin", MAX_RESOURCE)  # a hole: it takes no room
    assert load_skill(folder).skill is not None
    os.truncate(folder / "assets/a.bin", MAX_RESOURCE + 1)
    monkeypatch.setattr(os, "read", _read_of_manifest_alone(os.read))
    assert found(load_skill(folder)) == [("SKL205", 9, 5)]


def _read_of_manifest_alone(read):  # type: ignore[no-untyped-def]
    def checked(handle: int, count: int) -> bytes:
        assert os.fstat(handle).st_size < MAX_RESOURCE
        return bytes(read(handle, count))

    return checked


def test_the_number_and_the_sum_of_resources_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill_files, "MAX_RESOURCES", 3)
    monkeypatch.setattr(skill_files, "MAX_RESOURCE_BYTES", 30)
    few = {f"references/{number}.md": "x" * 10 for number in range(3)}
    assert found(load_skill(write_skill(tmp_path / "1", files=few))) == []
    many = load_skill(write_skill(tmp_path / "2", files=few | {"references/3.md": ""}))
    assert found(many) == [("SKL205", 1, 1)]
    large = load_skill(write_skill(tmp_path / "3", files=few | {"references/2.md": "x" * 11}))
    assert found(large) == [("SKL205", 1, 1)]


def test_hidden_files_caches_and_other_folders_do_not_count(tmp_path: Path) -> None:
    files = {
        "references/.DS_Store": "x",
        "scripts/__pycache__/a.pyc": b"\x00",
        "examples/a.md": "x",
        "LICENSE": "x",
        "assets/logo.png": b"\x89PNG\x00\xff",
    }
    skill = load_skill(write_skill(tmp_path, files=files)).skill
    assert skill is not None
    assert [resource.path for resource in skill.resources] == ["assets/logo.png"]
    assert skill.read("assets/logo.png") == b"\x89PNG\x00\xff"


def test_a_nested_folder_is_a_warning_and_its_files_do_not_count(tmp_path: Path) -> None:
    reading = load_skill(write_skill(tmp_path, files={"references/more/a.md": "x"}))
    assert found(reading) == [("SKL206", 1, 1)]
    assert reading.skill is not None
    assert reading.skill.resources == ()


def test_a_warning_about_one_resource_leaves_the_others_usable(tmp_path: Path) -> None:
    files = {"references/more/a.md": "x", "references/b.md": "y"}
    skill = load_skill(write_skill(tmp_path, files=files)).skill
    assert skill is not None
    assert skill.read("references/b.md") == b"y"


def test_an_error_of_one_resource_is_no_finding_about_others(tmp_path: Path) -> None:
    files = {"references/a.md": "x", "assets/t.json": "[]"}
    folder = write_skill(
        tmp_path, front="metadata: {tools: assets/t.json}\n", body=body("references/a.md"), files=files
    )
    (folder / "references/b.md").symlink_to("/etc/passwd")
    assert [code for code, _, _ in found(load_skill(folder))] == ["SKL204"]


def test_a_manifest_of_another_case_is_none(tmp_path: Path) -> None:
    assert found(load_skill(write_files(tmp_path / "a", {"skill.md": "---\nname: a\n---\n"}))) == [("SKL001", 1, 1)]


@pytest.mark.parametrize("name", ["none", "file", "nul\0l"])
def test_what_is_no_folder_is_a_finding(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    assert found(load_skill(tmp_path / name)) == [("SKL004", 1, 1)]


def test_a_file_that_may_not_be_read_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_skill(tmp_path)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(skill_files.os, "open", refuse)
    reading = load_skill(folder)
    assert found(reading) == [("SKL004", 1, 1)]
    assert "Permission denied" in reading.diagnostics[0].message
