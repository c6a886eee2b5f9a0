"""Loading never raises, whatever the files hold, and every finding stands within the text."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.skills.front_matter import FRONT_FIELDS
from agentic_dsl.skills.manifest import load_skill
from agentic_dsl.skills.registry import SkillRegistry
from agentic_dsl.skills.requirements import parse_requires

KEYS = st.sampled_from([field.key for field in FRONT_FIELDS] + ["version", "tags", "requires", "tools", "x"])
PIECES = st.sampled_from(
    [
        *("---\n", "---", "...\n", "name: a\n", "description: d\n", "metadata:\n", "  tools: assets/t.json\n", "\r\n"),
        *("  requires: 'a>=1, b'\n", "  version: '1'\n", ": ", "&a ", "*a", "!!x ", "|\n", ">-\n", "{", "[", "\t", "'"),
        *("](../x)", "[a](references/b.md)", "scripts/run.py", "```\n", "\x00", "\u2028", "é", "\ufeff", "% ", "?q#h"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=30).map("".join),
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=20).map(lambda parts: "---\n" + "".join(parts)),
)
VALUES = st.one_of(st.text(max_size=20), PIECES, st.integers().map(str))


def check(raw: bytes, tools: bytes = b"[]") -> None:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "a"
        (folder / "assets").mkdir(parents=True)
        (folder / "SKILL.md").write_bytes(raw)
        (folder / "assets" / "t.json").write_bytes(tools)
        reading = load_skill(folder)
        assert (reading.skill is None) == reading.has_errors
        for diagnostic in reading.diagnostics:
            assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(reading.source.text) + 1
            assert diagnostic.message
            assert diagnostic.record(reading.source)["line"] >= 1
        registry = SkillRegistry.load([root])
        assert len(registry.skills) <= 1
        if reading.skill is not None and not reading.skill.requires:
            assert registry.skills == (reading.skill,)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_bytes_never_raise(raw: bytes) -> None:
    check(raw)


@given(TEXTS)
@settings(max_examples=300, deadline=None)  # disks are shared
def test_texts_never_raise(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(st.lists(st.tuples(KEYS, VALUES), max_size=8), st.text(max_size=100))
@settings(max_examples=300, deadline=None)  # disks are shared
def test_front_matter_of_any_values_never_raises(pairs: list[tuple[str, str]], body: str) -> None:
    front = "".join(f"{key}: {value}\n" for key, value in pairs)
    text = f"---\nname: a\ndescription: d\n{front}---\n{body}"
    check(text.encode("utf-8", "replace"))


@given(st.one_of(st.binary(max_size=100), st.text(alphabet='[]{}":,name0.truefalsnu\\', max_size=60).map(str.encode)))
@settings(deadline=None)
def test_tools_files_never_raise(tools: bytes) -> None:
    check(b"---\nname: a\ndescription: d\nmetadata: {tools: assets/t.json}\n---\nx\n", tools)


@given(st.text(max_size=80))
@settings(deadline=None)
def test_requirements_are_read_or_are_a_problem_within_the_text(text: str) -> None:
    found = parse_requires(text)
    if isinstance(found, Problem):
        assert 0 <= found.span.start <= found.span.end <= len(text)
        return
    again = parse_requires(", ".join(str(requirement) for requirement, _ in found))
    assert not isinstance(again, Problem)
    assert [requirement for requirement, _ in again] == [requirement for requirement, _ in found]
