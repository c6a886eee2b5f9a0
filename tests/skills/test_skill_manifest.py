"""One manifest: what is read of it, and what is wrong with it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from skill_folders import BODY, NAME, found, manifest, write_files, write_skill

from agentic_dsl.errors import UsageError
from agentic_dsl.paths import Version
from agentic_dsl.skills import manifest as manifest_module
from agentic_dsl.skills.manifest import load_skill
from agentic_dsl.skills.skill import Skill, estimated_tokens

FULL = """\
license: Apache-2.0
compatibility: Needs a shell.
allowed-tools: Read Bash(git add:*) Read
metadata:
  author: us
  version: "1.2.0"
  tags: short 要約 data-flow
  requires: "explain-words>=1.0<3, tone^2"
  tools: assets/tools.json
"""
TOOLS = [{"name": "count", "description": "Counts.", "parameters": {"type": "object", "properties": {}}}]


def good(folder: Path) -> Skill:
    reading = load_skill(folder)
    assert reading.diagnostics == ()
    assert reading.skill is not None
    return reading.skill


def test_everything_in_a_manifest_is_read(tmp_path: Path) -> None:
    files = {"assets/tools.json": json.dumps(TOOLS), "references/tone.md": "Be plain.\n", "scripts/a.py": "print()\n"}
    skill = good(write_skill(tmp_path, front=FULL, files=files))
    assert (skill.name, skill.description) == (NAME, "Shortens texts. Use it for summaries.")
    assert (skill.license, skill.compatibility) == ("Apache-2.0", "Needs a shell.")
    assert skill.allowed_tools == ("Read", "Bash(git add:*)")
    assert skill.metadata["author"] == "us"
    assert skill.version == Version((1, 2, 0))
    assert skill.tags == ("short", "要約", "data-flow")
    assert [str(requirement) for requirement in skill.requires] == ["explain-words>=1.0<3", "tone^2"]
    assert [tool.name for tool in skill.tools] == ["count"]
    assert [r.path for r in skill.resources] == ["scripts/a.py", "references/tone.md", "assets/tools.json"]
    assert skill.body == BODY.strip()
    assert skill.tokens == estimated_tokens(skill.body)
    assert skill.read("references/tone.md") == b"Be plain.\n"


def test_a_skill_needs_a_name_and_a_description_alone(tmp_path: Path) -> None:
    skill = good(write_skill(tmp_path))
    assert (skill.license, skill.version, skill.tags, skill.requires, skill.tools) == (None, None, (), (), ())


def test_a_tokenizer_counts_where_one_is_given(tmp_path: Path) -> None:
    folder = write_skill(tmp_path)
    reading = load_skill(folder, count_tokens=lambda text: len(text.split()))
    assert reading.skill is not None
    assert reading.skill.tokens == len(BODY.split())
    assert found(load_skill(folder, count_tokens=lambda text: 5000)) == [("SKL202", 5, 1)]
    assert found(load_skill(folder, count_tokens=lambda text: 4999)) == []


@pytest.mark.parametrize("mark", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path, mark: str) -> None:
    text = manifest().replace("\n", mark)
    assert good(write_files(tmp_path / NAME, {"SKILL.md": b"\xef\xbb\xbf" + text.encode()})).name == NAME


def test_positions_are_right_behind_a_byte_order_mark(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbf---\nname: \xff\n---\n"
    assert found(load_skill(write_files(tmp_path / NAME, {"SKILL.md": raw}))) == [("SKL003", 2, 7)]


def test_the_hash_holds_the_manifest_and_every_resource_and_not_the_place(tmp_path: Path) -> None:
    files = {"references/a.md": "one", "references/b.md": "two"}
    first = good(write_skill(tmp_path / "1", files=files)).content_hash
    assert good(write_skill(tmp_path / "2", files=files)).content_hash == first
    others = [
        write_skill(tmp_path / "3", files={"references/a.md": "two", "references/b.md": "one"}),
        write_skill(tmp_path / "4", files={"references/a.md": "one", "assets/b.md": "two"}),
        write_skill(tmp_path / "5", files={"references/a.md": "onetwo", "references/b.md": ""}),
        write_skill(tmp_path / "6", body=BODY + "\n", files=files),
    ]
    assert len({good(folder).content_hash for folder in others} | {first}) == 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("-a", "begins or ends with a hyphen"),
        ("a-", "begins or ends with a hyphen"),
        ("a--b", "two hyphens in a row"),
        ("a_b", 'holds "_"'),
        ("Ab", 'the capital letter "A"'),
        ("é", 'holds "é"'),
    ],
)
def test_a_name_that_breaks_the_rules_is_told_why(tmp_path: Path, name: str, message: str) -> None:
    reading = load_skill(write_skill(tmp_path, name))
    assert found(reading) == [("SKL107", 2, 7)]
    assert message in reading.diagnostics[0].message
    assert reading.skill is None


@pytest.mark.parametrize(("key", "longest"), [("name", 64), ("description", 1024), ("compatibility", 500)])
def test_a_text_may_have_exactly_so_many_characters(tmp_path: Path, key: str, longest: int) -> None:
    def load(length: int) -> list[str]:
        name = "a" * length if key == "name" else NAME
        texts = {"name": name, "description": "Shortens."} | {key: "a" * length}
        front = "".join(f"{key}: {text}\n" for key, text in texts.items())
        folder = write_files(tmp_path / name, {"SKILL.md": f"---\n{front}---\n{BODY}"})
        return [code for code, _, _ in found(load_skill(folder))]

    assert load(longest) == []
    assert load(longest + 1) == ["SKL109"]


@pytest.mark.parametrize("value", ["", '""', "'  '"])
def test_an_empty_text_is_a_finding(tmp_path: Path, value: str) -> None:
    folder = write_files(tmp_path / NAME, {"SKILL.md": f"---\nname: {NAME}\ndescription: {value}\n---\n{BODY}"})
    assert [code for code, line, _ in found(load_skill(folder)) if line == 3] == ["SKL109"]


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ("license: [MIT]\n", ("SKL106", 4, 10)),
        ("compatibility: true\n", ("SKL106", 4, 16)),
        ("allowed-tools: [Read]\n", ("SKL106", 4, 16)),
        ("allowed-tools: Read,Grep\n", ("SKL110", 4, 16)),
        ("allowed-tools: Bash(git\n", ("SKL110", 4, 16)),
        ("metadata: 1\n", ("SKL111", 4, 11)),
        ("metadata: [a]\n", ("SKL111", 4, 11)),
        ("metadata:\n", ("SKL111", 4, 1)),
        ("metadata: {a: {b: c}}\n", ("SKL111", 4, 15)),
        ("metadata: {version: 1.2.3.4}\n", ("SKL112", 4, 21)),
        ("metadata: {tags: ''}\n", ("SKL113", 4, 18)),
        ("metadata: {requires: 'a, b, a'}\n", ("SKL114", 4, 29)),
        ("metadata: {requires: 'a,,b'}\n", ("SKL114", 4, 22)),
        (f"metadata: {{requires: '{NAME}'}}\n", ("SKL114", 4, 23)),
        ("descripton: x\n", ("SKL104", 4, 1)),
        ("user-invocable: true\n", ("SKL104", 4, 1)),
        ("license: a\nlicense: b\n", ("ADL102", 5, 1)),
        ("license: !!str a\n", ("ADL103", 4, 10)),
        ("license: *a\n", ("ADL101", 4, 10)),
        ("metadata: {tags: *a}\n", ("ADL101", 4, 18)),
    ],
)
def test_front_matter_that_breaks_a_rule_is_found_where_it_does(
    tmp_path: Path, front: str, expected: tuple[str, int, int]
) -> None:
    reading = load_skill(write_skill(tmp_path, front=front))
    assert found(reading) == [expected]
    assert reading.skill is None
    assert reading.diagnostics[0].help


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    reading = load_skill(write_skill(tmp_path, "Other", front="license: 1\ncolour: red\nmetadata: {version: x}\n"))
    assert [code for code, _, _ in found(reading)] == ["SKL107", "SKL106", "SKL104", "SKL112"]


def test_a_misspelt_key_is_told_the_right_one(tmp_path: Path) -> None:
    reading = load_skill(write_skill(tmp_path, front="licence: MIT\n"))
    assert '"license"' in (reading.diagnostics[0].help or "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "no JSON array"),
        ("[1]", "no JSON array"),
        ("[", "not JSON: line 1"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "nested too deeply or too long"),
        ('[{"name": ""}]', "name"),
        ('[{"nme": "x"}]', "nme"),
        ('[{"name": "x"}, {"name": "x"}]', "twice"),
        ('[{"name": "x", "parameters": {"type": "objct"}}]', 'the tool "x": parameters'),
        ('[{"name": "x", "parameters": 3}]', "parameters"),
    ],
)
def test_a_broken_tools_file_is_a_finding_at_the_line_that_names_it(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    folder = write_skill(tmp_path, front="metadata: {tools: assets/t.json}\n", files={"assets/t.json": content})
    reading = load_skill(folder)
    assert found(reading) == [("SKL115", 4, 19)]
    assert message in reading.diagnostics[0].message


def test_files_that_change_while_they_are_read_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_skill(tmp_path, files={"references/a.md": "0"})
    read, count = manifest_module.read_file, 0

    def read_and_write(folder: Path, path: str, limit: int) -> bytes:
        nonlocal count
        content = read(folder, path, limit)
        if path == "references/a.md":
            count += 1
            (folder / path).write_text("1" * (count + 1))
        return content

    monkeypatch.setattr(manifest_module, "read_file", read_and_write)
    reading = load_skill(folder)
    assert found(reading) == [("SKL005", 1, 1)]
    assert reading.skill is None
    assert count == 3


def test_a_file_that_changes_once_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_skill(tmp_path)
    read, written = manifest_module.read_file, threading.Event()

    def read_and_write_once(folder: Path, path: str, limit: int) -> bytes:
        content = read(folder, path, limit)
        if not written.is_set():
            written.set()
            (folder / path).write_text(manifest(body="New.\n"))
        return content

    monkeypatch.setattr(manifest_module, "read_file", read_and_write_once)
    assert good(folder).body == "New."


def test_a_resource_that_was_changed_since_is_not_given(tmp_path: Path) -> None:
    folder = write_skill(tmp_path, files={"references/a.md": "one"})
    skill = good(folder)
    (folder / "references/a.md").write_text("two")
    with pytest.raises(UsageError, match="was changed"):
        skill.read("references/a.md")
    (folder / "references/a.md").write_text("longer than before")
    with pytest.raises(UsageError, match="larger than"):
        skill.read("references/a.md")
    (folder / "references/a.md").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        skill.read("references/a.md")


@pytest.mark.parametrize("path", ["references/none.md", "../x", "/etc/passwd", "SKILL.md", ""])
def test_only_resources_can_be_read(tmp_path: Path, path: str) -> None:
    skill = good(write_skill(tmp_path, files={"references/a.md": "one"}))
    with pytest.raises(UsageError, match="has no resource") as raised:
        skill.read(path)
    assert "references/a.md" in (raised.value.help or "")


@pytest.mark.parametrize(
    "text",
    [
        manifest(front="".join(f"k{number}: 1\n" for number in range(50_000))),
        manifest(body="".join(f"references/x{number} " for number in range(50_000))),
        manifest(body="`" * 1_000_000),
        manifest(body="".join("`" * (3 + number) + "\n" for number in range(1300))),
        manifest(body="](" * 500_000),
        manifest(front=f"metadata: {{requires: 'a{'>=1' * 300_000}'}}\n"),
        manifest(front=f"allowed-tools: {'(' * 1_000_000}\n"),
        f"---\n{'[' * 1_000_000}\n---\n",
        "---\n" + "-- -\n" * 200_000,
    ],
    ids=["keys", "references", "ticks", "fences", "links", "bounds", "tools", "nesting", "lines"],
)
def test_a_hostile_manifest_costs_little_and_is_told_in_few_findings(tmp_path: Path, text: str) -> None:
    folder = write_files(tmp_path / NAME, {"SKILL.md": text})
    begun = time.perf_counter()
    reading = load_skill(folder)
    assert 1 <= len(reading.diagnostics) <= manifest_module.MAX_FINDINGS
    assert time.perf_counter() - begun < 10  # a quadratic step would take minutes
