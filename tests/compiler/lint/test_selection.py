"""Which codes are asked for: prefixes, the longest of which wins, and patterns of files."""

from __future__ import annotations

import pytest

from agentic_dsl.codes import ALL_CODES
from agentic_dsl.compiler.lint.selection import Selection, matches, read_selectors
from agentic_dsl.errors import UsageError


def test_everything_is_asked_for_by_default() -> None:
    assert Selection().codes == {code.code for code in ALL_CODES}


@pytest.mark.parametrize(
    ("select", "ignore", "inside", "outside"),
    [
        (("ADL2",), (), {"ADL201", "ADL216"}, {"ADL301"}),
        (("ADL2",), ("ADL204",), {"ADL203"}, {"ADL204"}),
        (("ADL204",), ("ADL2",), {"ADL204"}, {"ADL203"}),
        (("ADL2",), ("ADL2",), set(), {"ADL203"}),
        (("ADL", "ADL851"), ("ADL85",), {"ADL851", "ADL201"}, {"ADL852"}),
    ],
)
def test_the_longest_prefix_wins_and_of_two_as_long_ignore_does(
    select: tuple[str, ...], ignore: tuple[str, ...], inside: set[str], outside: set[str]
) -> None:
    codes = Selection(select, ignore).codes
    assert inside <= codes
    assert not outside & codes


def test_codes_prefixes_and_names_are_read_in_any_case_and_with_commas() -> None:
    assert read_selectors(["adl2, cycle", "ALL"], "--select") == ("ADL2", "ADL203", "ADL")


@pytest.mark.parametrize(
    ("word", "help_"), [("ADL2033", "write ADL203"), ("cycel", "write cycle"), ("x", "name a code")]
)
def test_a_word_that_names_no_rule_is_refused_with_the_likeliest_one(word: str, help_: str) -> None:
    with pytest.raises(UsageError, match=f'"{word}" in --select names no rule') as caught:
        read_selectors([word], "--select")
    assert (caught.value.help or "").startswith(help_)


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("lib/old/a.md", "lib/old/*.md", True),
        ("./lib/old/a.md", "lib/old", True),
        ("work/lib/old/a.md", "lib/old/*.md", True),
        ("a.md", "*.md", True),
        ("lib/older/a.md", "lib/old", False),
        ("lib/a.md", "b.md", False),
    ],
)
def test_a_pattern_means_a_path_its_end_or_a_folder(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, pattern) is expected


def test_a_file_has_codes_of_its_own() -> None:
    selection = Selection(per_file=(("old/*.md", ("ADL8",)),))
    assert "ADL851" not in selection.wanted("old/x.md")
    assert "ADL851" in selection.wanted("new/x.md")
