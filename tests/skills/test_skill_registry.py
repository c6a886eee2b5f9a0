"""A registry: several roots, requirements closed, kept up to date."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from pathlib import Path

import pytest
from skill_folders import BODY, write_files, write_skill

from agentic_dsl.errors import UsageError
from agentic_dsl.skills import registry as registry_module
from agentic_dsl.skills.registry import Changes, SkillRegistry


def requires(text: str, version: str | None = None) -> str:
    return f'metadata:\n  requires: "{text}"\n' + (f'  version: "{version}"\n' if version else "")


def version(text: str) -> str:
    return f'metadata:\n  version: "{text}"\n'


def names(registry: SkillRegistry) -> list[str]:
    return [skill.name for skill in registry.skills]


def codes(registry: SkillRegistry) -> list[str]:
    return [diagnostic.code for diagnostic in registry.diagnostics]


def test_skills_come_by_name_whatever_the_order_on_disk(tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        write_skill(tmp_path, name)
    registry = SkillRegistry.load([tmp_path])
    assert names(registry) == ["a", "b", "c"]
    assert registry.diagnostics == ()
    assert registry.get("b") is registry.skills[1]
    assert registry.get("d") is None


def test_what_is_no_skill_in_a_root_is_left_alone(tmp_path: Path) -> None:
    write_skill(tmp_path, "a")
    write_files(tmp_path, {"queries.yaml": "x", "notes/a.md": "x", ".hidden/SKILL.md": "x"})
    registry = SkillRegistry.load([tmp_path])
    assert (names(registry), codes(registry)) == (["a"], [])


def test_the_first_root_wins_and_the_second_is_told(tmp_path: Path) -> None:
    write_skill(tmp_path / "1", "a", body="first\n")
    write_skill(tmp_path / "2", "a", body="second\n")
    write_skill(tmp_path / "2", "b")
    registry = SkillRegistry.load([tmp_path / "1", tmp_path / "2"])
    assert names(registry) == ["a", "b"]
    assert registry.closure(["a"])[0].body == "first"
    [finding] = registry.findings
    assert finding.diagnostic.code == "SKL301"
    assert finding.source.path == str(tmp_path / "2" / "a" / "SKILL.md")
    assert not finding.diagnostic.is_error


def test_a_broken_skill_of_the_first_root_brings_no_other_one_to_life(tmp_path: Path) -> None:
    write_files(tmp_path / "1" / "a", {"SKILL.md": "broken"})
    write_skill(tmp_path / "2", "a")
    assert names(SkillRegistry.load([tmp_path / "1", tmp_path / "2"])) == []


def test_the_same_root_twice_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_skill(tmp_path / "root", "a")
    write_files(tmp_path / "root" / "b", {"SKILL.md": "broken"})
    monkeypatch.chdir(tmp_path)
    registry = SkillRegistry.load([tmp_path / "root", "root", Path("root") / ".." / "root"])
    assert (names(registry), codes(registry)) == (["a"], ["SKL101"])


def test_a_root_may_be_a_skill_itself(tmp_path: Path) -> None:
    assert names(SkillRegistry.load([write_skill(tmp_path, "a")])) == ["a"]


def test_a_root_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        SkillRegistry.load([tmp_path / "none"])
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="does not exist"):
        SkillRegistry.load([tmp_path / "file"])


def test_no_roots_and_empty_roots_hold_no_skills(tmp_path: Path) -> None:
    assert SkillRegistry.load([]).skills == ()
    assert SkillRegistry.load([tmp_path]).closure([]) == ()


def test_requirements_come_first_and_else_names_decide(tmp_path: Path) -> None:
    write_skill(tmp_path, "a", requires("z, m"))
    write_skill(tmp_path, "m", requires("x"))
    for name in ("b", "x", "z"):
        write_skill(tmp_path, name)
    registry = SkillRegistry.load([tmp_path])
    assert [skill.name for skill in registry.closure(["b", "a"])] == ["b", "x", "m", "z", "a"]
    assert registry.closure(["a", "b", "a", "x"]) == registry.closure(["b", "a"])


def test_a_requirement_may_stand_in_another_root(tmp_path: Path) -> None:
    write_skill(tmp_path / "1", "a", requires("b>=1.0"))
    write_skill(tmp_path / "2", "b", version("1.2.0"))
    assert names(SkillRegistry.load([tmp_path / "1", tmp_path / "2"])) == ["a", "b"]


@pytest.mark.parametrize(
    ("other", "code", "message"),
    [
        (None, "SKL302", "which is in no root"),
        ("broken", "SKL302", "which has errors"),
        (version("0.9"), "SKL303", "there is version 0.9"),
        ("", "SKL303", "which states no version"),
    ],
)
def test_an_unmet_requirement_makes_a_skill_and_its_users_unusable(
    tmp_path: Path, other: str | None, code: str, message: str
) -> None:
    write_skill(tmp_path, "a", requires("b>=1.0"))
    write_skill(tmp_path, "user", requires("a"))
    if other == "broken":
        write_files(tmp_path / "b", {"SKILL.md": "broken"})
    elif other is not None:
        write_skill(tmp_path, "b", other)
    registry = SkillRegistry.load([tmp_path])
    assert "a" not in names(registry)
    assert "user" not in names(registry)
    found = {f.diagnostic.message.split('"')[1]: f for f in registry.findings if f.diagnostic.code.startswith("SKL3")}
    assert found["a"].diagnostic.code == code
    assert message in found["a"].diagnostic.message
    assert found["a"].source.position(found["a"].diagnostic.span.start) == (5, 14)
    assert found["user"].diagnostic.code == "SKL302"
    assert 'requires "a", which cannot be used' in found["user"].diagnostic.message


def test_what_is_missing_far_away_makes_the_whole_chain_unusable(tmp_path: Path) -> None:
    for name, needs in {"a": "b", "b": "c", "c": "d", "d": "none"}.items():
        write_skill(tmp_path, name, requires(needs))
    registry = SkillRegistry.load([tmp_path])
    assert registry.skills == ()
    assert [diagnostic.message for diagnostic in registry.diagnostics] == [
        '"a" requires "b", which cannot be used',
        '"b" requires "c", which cannot be used',
        '"c" requires "d", which cannot be used',
        '"d" requires "none", which is in no root',
    ]


def test_a_misspelt_requirement_is_told_the_right_one(tmp_path: Path) -> None:
    write_skill(tmp_path, "a", requires("explain-word"))
    write_skill(tmp_path, "explain-words")
    [diagnostic] = SkillRegistry.load([tmp_path]).diagnostics
    assert '"explain-words"' in (diagnostic.help or "")


def test_every_circle_is_named_and_what_is_outside_of_it_stays(tmp_path: Path) -> None:
    for name, needs in {"a": "b", "b": "c", "c": "a", "d": "a", "x": "y", "y": "x"}.items():
        write_skill(tmp_path, name, requires(needs))
    write_skill(tmp_path, "free")
    registry = SkillRegistry.load([tmp_path])
    assert names(registry) == ["free"]
    messages = [diagnostic.message for diagnostic in registry.diagnostics]
    assert 'the skill "a" requires "b", which requires "c", which requires "a"' in messages
    assert 'the skill "x" requires "y", which requires "x"' in messages
    assert sorted(codes(registry)) == ["SKL302"] + ["SKL304"] * 5


def test_a_long_chain_of_requirements_is_no_problem(tmp_path: Path) -> None:
    for number in range(300):
        write_skill(tmp_path, f"s{number}", requires(f"s{number + 1}") if number < 299 else "")
    registry = SkillRegistry.load([tmp_path])
    assert [skill.name for skill in registry.closure(["s0"])] == [f"s{number}" for number in reversed(range(300))]


def test_an_unknown_name_is_misuse_and_is_told_a_known_one(tmp_path: Path) -> None:
    write_skill(tmp_path, "explain-words")
    write_files(tmp_path / "broken", {"SKILL.md": "x"})
    registry = SkillRegistry.load([tmp_path])
    with pytest.raises(UsageError, match="no skill") as raised:
        registry.closure(["explain-word"])
    assert '"explain-words"' in (raised.value.help or "")
    with pytest.raises(UsageError, match="cannot be used"):
        registry.closure(["broken"])


def test_refresh_says_what_was_added_changed_and_removed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_skill(tmp_path, name, files={"references/x.md": "1"})
    registry = SkillRegistry.load([tmp_path])
    assert registry.refresh() == Changes()
    assert not registry.refresh()
    write_skill(tmp_path, "d")
    write_skill(tmp_path, "b", body="New.\n", files={"references/x.md": "1"})
    (tmp_path / "c" / "references" / "x.md").write_text("2")
    shutil.rmtree(tmp_path / "a")
    assert registry.refresh() == Changes(added=("d",), changed=("b", "c"), removed=("a",))
    assert names(registry) == ["b", "c", "d"]
    assert registry.closure(["b"])[0].body == "New."


def test_refresh_reads_only_what_was_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        write_skill(tmp_path, name)
    registry = SkillRegistry.load([tmp_path])
    read: list[str] = []
    load = registry_module.load_skill

    def counted(folder: Path, **options: object):  # type: ignore[no-untyped-def]
        read.append(folder.name)
        return load(folder, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(registry_module, "load_skill", counted)
    registry.refresh()
    assert read == []
    os.utime(tmp_path / "b" / "SKILL.md", (1, 1))
    assert not registry.refresh()  # touched, and the same as before
    assert read == ["b"]
    (tmp_path / "c" / "assets").mkdir()
    (tmp_path / "c" / "assets" / "x").touch()
    assert registry.refresh().changed == ("c",)
    assert read == ["b", "c"]


def test_a_broken_edit_keeps_the_last_good_state_and_says_so(tmp_path: Path) -> None:
    folder = write_skill(tmp_path, "a", body="Good.\n")
    registry = SkillRegistry.load([tmp_path])
    (folder / "SKILL.md").write_text("---\nname: a\n---\nBad.\n")
    assert registry.refresh() == Changes()
    assert registry.closure(["a"])[0].body == "Good."
    assert codes(registry) == ["SKL105", "SKL305"]
    assert registry.refresh() == Changes()
    assert codes(registry) == ["SKL105", "SKL305"]
    write_skill(tmp_path, "a", body="Better.\n")
    assert registry.refresh() == Changes(changed=("a",))
    assert codes(registry) == []


def test_a_manifest_that_is_gone_takes_the_skill_with_it(tmp_path: Path) -> None:
    folder = write_skill(tmp_path, "a")
    registry = SkillRegistry.load([tmp_path])
    (folder / "SKILL.md").unlink()
    assert registry.refresh() == Changes(removed=("a",))


def test_what_requires_a_skill_that_goes_goes_with_it_and_comes_back(tmp_path: Path) -> None:
    write_skill(tmp_path, "a", requires("b"))
    write_skill(tmp_path, "b")
    registry = SkillRegistry.load([tmp_path])
    shutil.rmtree(tmp_path / "b")
    assert registry.refresh() == Changes(removed=("a", "b"))
    write_skill(tmp_path, "b")
    assert registry.refresh() == Changes(added=("a", "b"))


def test_a_root_that_goes_is_a_finding(tmp_path: Path) -> None:
    write_skill(tmp_path / "root", "a")
    registry = SkillRegistry.load([tmp_path / "root"])
    shutil.rmtree(tmp_path / "root")
    assert registry.refresh() == Changes(removed=("a",))
    assert codes(registry) == ["SKL307"]


def test_more_skills_than_the_limit_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "MAX_SKILLS", 2)
    for name in ("a", "b", "c"):
        write_skill(tmp_path, name)
    registry = SkillRegistry.load([tmp_path])
    assert (names(registry), codes(registry)) == (["a", "b"], ["SKL306"])


@pytest.mark.parametrize("seed", range(8))
def test_refreshing_gives_what_loading_gives(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    registry = SkillRegistry([tmp_path])
    for _ in range(15):
        for _ in range(chance.randint(1, 4)):
            name = chance.choice("abcdef")
            if chance.random() < 0.3:
                shutil.rmtree(tmp_path / name, ignore_errors=True)
            else:
                needs = [other for other in "abcdef" if other != name and chance.random() < 0.15]
                front = requires(", ".join(needs)) if needs else ""
                body = BODY * chance.randint(1, 3)
                write_skill(tmp_path, name, front, body, {"references/x.md": str(chance.random())})
        before = {skill.name: skill.content_hash for skill in registry.skills}
        changes = registry.refresh()
        fresh = SkillRegistry.load([tmp_path])
        assert registry.skills == fresh.skills
        assert registry.diagnostics == fresh.diagnostics
        after = {skill.name: skill.content_hash for skill in fresh.skills}
        assert set(changes.added) == after.keys() - before.keys()
        assert set(changes.removed) == before.keys() - after.keys()
        assert set(changes.changed) == {n for n in after.keys() & before.keys() if after[n] != before[n]}


def test_readers_see_whole_states_while_others_refresh(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_skill(tmp_path, name, requires("base"))
    write_skill(tmp_path, "base")
    registry = SkillRegistry.load([tmp_path])
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                present = {skill.name for skill in registry.skills}
                assert present in ({"a", "b", "base"}, set())
        except BaseException as exc:
            failures.append(exc)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(20):
        if number % 2:
            write_skill(tmp_path, "base")
        else:
            shutil.rmtree(tmp_path / "base")
        registry.refresh()
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_hundreds_of_skills_are_loaded_and_refreshed_quickly(tmp_path: Path) -> None:
    for number in range(300):
        front = requires(f"s{number - 1}", "1.0") if number % 10 else version("1.0")
        write_skill(tmp_path, f"s{number}", front, BODY * 50, {"references/a.md": "x" * 5000})
    begun = time.perf_counter()
    registry = SkillRegistry.load([tmp_path])
    loaded = time.perf_counter()
    registry.refresh()
    assert len(registry.skills) == 300
    # A tenth of these times is usual; a shared machine may be slow, and reading all again would take longer still.
    assert loaded - begun < 10
    assert time.perf_counter() - loaded < (loaded - begun)
