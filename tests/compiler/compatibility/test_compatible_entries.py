"""Entries, versions, bodies and needs: what each change means, and which version says so."""

from __future__ import annotations

import pytest
from comparing import block, compared, contract, found, library, nodes

from agentic_dsl.compiler.compatibility.compare import compare
from agentic_dsl.compiler.compatibility.kinds import ALL_KINDS
from agentic_dsl.compiler.compatibility.levels import Bump, Level, bump_between, bumped
from agentic_dsl.paths import Version

PLAIN = contract("(a: string) -> ()")


def _version(text: str) -> Version:
    return Version(tuple(map(int, text.split("."))))


def test_codes_and_names_are_unique() -> None:
    assert len({kind.code.code for kind in ALL_KINDS}) == len({kind.code.name for kind in ALL_KINDS}) == len(ALL_KINDS)


BUMPS = [
    ("1.0", "1.0.0", Bump.NONE),
    ("1.2.3", "2.0", Bump.MAJOR),
    ("1.2.3", "1.3", Bump.MINOR),
    ("1.2.3", "1.2.9", Bump.PATCH),
    ("1.2", "1.1.9", Bump.NONE),
]


@pytest.mark.parametrize(("old", "new", "bump"), BUMPS)
def test_two_versions_declare_a_bump(old: str, new: str, bump: Bump) -> None:
    assert bump_between(_version(old), _version(new)) is bump


@pytest.mark.parametrize("text", ["1", "1.2", "0.3.1"])
@pytest.mark.parametrize("bump", list(Bump))
def test_the_next_version_declares_the_bump_that_was_asked_for(text: str, bump: Bump) -> None:
    assert bump_between(_version(text), bumped(_version(text), bump)) is bump


# --- entries and versions --------------------------------------------------------------------------------------------


def test_an_entry_that_is_gone_breaks_and_one_that_is_new_adds() -> None:
    other = contract("() -> ()", path="/lib/a/c")
    gone, new = compared(PLAIN + "\n" + other, PLAIN), compared(PLAIN, PLAIN + "\n" + other)
    assert [c.kind.code.name for c in gone.changes] == ["entry-removed"]
    assert [c.kind.code.name for c in new.changes] == ["entry-added"]
    assert (gone.covered, new.covered) == (False, True)


def test_an_entry_that_was_deprecated_may_go() -> None:
    old = contract("() -> ()", "stability: deprecated", path="/lib/a/c")
    assert compared(PLAIN + "\n" + old, PLAIN).covered


def test_the_remedy_for_an_entry_that_moved_names_its_new_path() -> None:
    old = nodes("  - {id: a, type: assign, assign: {x: 1}, next: [b]}", "  - {id: b, type: end}")
    [change, _] = compared(old, old.replace("/lib/a/b", "/lib/a/moved")).changes
    assert change.help is not None
    assert '"/lib/a/moved"' in change.help


def test_blocks_that_nobody_outside_can_call_come_and_go_as_patches() -> None:
    inner = block("graph_type: subgraph", "nodes: [{id: a, type: end}]", path="/main/inner")
    assert found(PLAIN + "\n" + inner, PLAIN) == ["internal-removed"]
    assert found(PLAIN, PLAIN + "\n" + inner) == ["internal-added"]


VERSIONS = [
    ("1.0", "1.1", ["version-raised"], True),
    ("1.0", "1.0.1", ["version-raised"], True),
    ("1.0", "2.0", ["major-replaced"], True),
    ("1.1", "1.0", ["version-lowered"], False),
    ("2.0", "1.0", ["version-lowered"], False),
    ("1", "1.0", [], True),
]


@pytest.mark.parametrize(("old", "new", "expected", "covered"), VERSIONS)
def test_a_version_by_itself(old: str, new: str, expected: list[str], covered: bool) -> None:
    one, other = (contract("() -> ()", f'version: "{text}"') for text in (old, new))
    assert found(one, other) == expected
    assert compared(one, other).covered is covered


def test_a_version_that_is_not_stated_any_more_is_lower_unless_it_was_one() -> None:
    assert found(contract("() -> ()", 'version: "1.4"'), contract("() -> ()")) == ["version-lowered"]
    assert found(contract("() -> ()", 'version: "1.0"'), contract("() -> ()")) == []


DECLARED = [
    # what each version must be for a change: the change, the old version, too little, enough
    ("(a: string, b: string) -> ()", "1.0", "1.1", "2.0"),
    ("(a: string, b?: string) -> ()", "1.0", "1.0.1", "1.1"),
    ("(a: string, b: string) -> ()", "0.3", "0.3.1", "0.4"),
    ("(a: string, b?: string) -> ()", "0.3", "0.3", "0.3.1"),
]


@pytest.mark.parametrize(("signature", "old", "little", "enough"), DECLARED)
def test_a_version_must_grow_as_much_as_its_changes_need(signature: str, old: str, little: str, enough: str) -> None:
    before = contract("(a: string) -> ()", f'version: "{old}"')
    for text, covered in ((little, False), (enough, True)):
        comparison = compared(before, contract(signature, f'version: "{text}"'))
        assert comparison.covered is covered, text
        if not covered:
            [verdict] = comparison.verdicts
            assert verdict.next is not None
            assert compared(before, contract(signature, f'version: "{verdict.next}"')).covered


def test_an_experimental_entry_promises_less() -> None:
    before = contract("(a: string) -> ()", 'version: "1.0"', "stability: experimental")
    after = contract("(a: integer) -> ()", 'version: "1.1"', "stability: experimental")
    assert compared(before, after).covered


def test_major_versions_beside_each_other_are_compared_each_with_its_own() -> None:
    one = contract("(a: string) -> ()", 'version: "1.0"')
    two = contract("(b: integer) -> ()", 'version: "2.0"')
    both = compare(library(one), library(one, two))
    [change] = both.changes
    assert change.kind.code.name == "entry-added"
    assert "calls without a version reach it instead of version 1.0" in change.message
    assert [c.kind.code.name for c in compare(library(one, two), library(two)).changes] == ["entry-removed"]
    assert compare(library(one, two), library(two, one)).changes == ()


STABILITIES = [
    ("stable", "deprecated", "deprecated"),
    ("stable", "experimental", "stability-lowered"),
    ("experimental", "stable", "stability-raised"),
    ("deprecated", "stable", "stability-raised"),
]


@pytest.mark.parametrize(("old", "new", "expected"), STABILITIES)
def test_stability_is_part_of_the_contract(old: str, new: str, expected: str) -> None:
    one, other = (contract("() -> ()", f"stability: {word}") for word in (old, new))
    assert found(one, other) == [expected]


# --- bodies ----------------------------------------------------------------------------------------------------------

BODY = nodes("  - {id: a, type: assign, assign: {x: 1}, next: [b]}", "  - {id: b, type: end}")


def test_other_nodes_behind_the_same_contract_are_a_patch() -> None:
    [change] = compared(BODY, BODY.replace("x: 1", "x: 2")).changes
    assert (change.kind.code.name, change.message) == ("body-changed", 'nodes of "/lib/a/b": "a" is changed')
    assert change.place.document.source.position(change.place.span.start).line == 6


def test_values_of_different_types_are_different() -> None:
    for one, other in (("1", "true"), ("1", "1.0"), ("1", "'1'"), ("[]", "{}")):
        assert found(BODY.replace("x: 1", f"x: {one}"), BODY.replace("x: 1", f"x: {other}")) == ["body-changed"], one
    assert found(BODY.replace("x: 1", "x: .nan"), BODY.replace("x: 1", "x: .nan")) == []


def test_spellings_order_and_comments_are_no_difference() -> None:
    other = nodes(
        "  # a remark", "  - {type: end, id: b}", "  - {id: a, next: /lib/a/b/b, assign: {x: 1}, type: assign}"
    )
    assert found(BODY, other.replace("graph_type", "entry: a\ngraph_type")) == []


def test_a_call_that_may_not_come_back_breaks() -> None:
    soft = BODY.replace("type: end", "type: end, metadata: {termination_mode: soft}")
    assert found(soft, BODY) == ["may-not-return", "body-changed"]
    assert found(BODY, soft) == ["always-returns", "body-changed"]
    assert found(soft, soft.replace("next: [b]", "next: [/end]")) == ["may-not-return", "body-changed"]


def test_who_implements_an_entry_matters_to_the_executor() -> None:
    assert found(BODY, contract("() -> ()")) == ["implementation-dropped"]
    assert found(contract("() -> ()"), BODY) == ["implemented"]


def test_the_text_before_a_block_describes_it() -> None:
    assert found("One.\n\n" + PLAIN, "Two.\n\n" + PLAIN) == ["text-changed"]
    assert found("One.\n\n" + PLAIN, "One.  \n\n\n" + PLAIN) == []


# --- needs -----------------------------------------------------------------------------------------------------------

PERMISSIONS = [
    ("[]", '["tool: x"]', ["needs-more"]),
    ('["tool: x"]', "[]", ["needs-less"]),
    ('["tool: x"]', '["tool: x", network]', ["needs-more"]),
    ("[tool]", '["tool: x"]', ["needs-less"]),
    ('["tool: x"]', "[tool]", ["needs-more"]),
    ("[{network: outbound, domains: [a, b]}]", "[{network: outbound, domains: [a]}]", ["needs-less"]),
    ("[{network: outbound, domains: [a]}]", "[{network: outbound, domains: [a, b]}]", ["needs-more"]),
    ("[{generate_subgraph: {max_depth: 1}}]", "[{generate_subgraph: {max_depth: 2}}]", ["needs-more"]),
    ('["tool: x", network]', '[network, "tool: x"]', []),
]


@pytest.mark.parametrize(("old", "new", "expected"), PERMISSIONS)
def test_asking_for_more_breaks_and_for_less_does_not(old: str, new: str, expected: list[str]) -> None:
    one, other = (contract("() -> ()", f"permissions: {text}") for text in (old, new))
    changes = found(one, other)
    assert [name for name in changes if name != "needs-less" or "needs-more" not in changes] == expected


def test_a_tool_that_nodes_call_is_needed_whether_or_not_it_is_stated() -> None:
    call = nodes("  - {id: a, type: tool_call, tool: x, output_keys: [r], next: [b]}", "  - {id: b, type: end}")
    stated = call.replace("tool: x,", 'tool: x, permissions: ["tool: x"],')
    assert found(call, call.replace("tool: x", "tool: y")) == ["needs-more", "needs-less", "body-changed"]
    assert found(call, stated) == ["body-changed"]


REQUIRES = [
    ("", '- {lib: "/lib/q/w@^1.0"}', ["requirement-added"]),
    ("", '- {lib: "/lib/reasoning/try_catch"}', ["requirement-changed"]),
    ('- {lib: "/lib/q/w@^1.0"}', "", ["requirement-changed"]),
    ('- {lib: "/lib/q/w@^1.0"}', '- {lib: "/lib/q/w@^1.2"}', ["requirement-narrowed"]),
    ('- {lib: "/lib/q/w@~1.2"}', '- {lib: "/lib/q/w@^1.2"}', ["requirement-changed"]),
    ('- {lib: "/lib/q/w@^1.2"}', '- {lib: "/lib/q/w@~1.2"}', ["requirement-narrowed"]),
    ('- {lib: "/lib/q/w@^1.2"}', '- {lib: "/lib/q/w@^2.0"}', ["requirement-narrowed"]),
    ('- {lib: "/lib/q/w@^0.2.1"}', '- {lib: "/lib/q/w@~0.2"}', ["requirement-changed"]),
    ('- {lib: "/lib/q/w@^1.2"}', '- {lib: "/lib/q/w"}', ["requirement-changed"]),
    ('- {lib: "/lib/q/w"}', '- {lib: "/lib/q/w@^1.2"}', ["requirement-narrowed"]),
]


def _requires(rows: str) -> str:
    return nodes("  - {id: b, type: end}", head=("requires:", f"  {rows}") if rows else ())


@pytest.mark.parametrize(("old", "new", "expected"), REQUIRES)
def test_requirements_that_somebody_else_must_meet_break(old: str, new: str, expected: list[str]) -> None:
    assert found(_requires(old), _requires(new)) == expected


def test_a_requirement_that_the_new_version_brings_along_asks_nobody() -> None:
    new = _requires('- {lib: "/lib/q/w@^1.0"}') + "\n" + contract("() -> ()", 'version: "1.3"', path="/lib/q/w")
    assert set(found(_requires(""), new)) == {"requirement-changed", "entry-added"}


def test_levels_are_told_worst_first() -> None:
    old, new = contract("(a: string) -> {x: any}"), contract("(a: any, c: string) -> {x: any, y: any}")
    levels = [change.level for change in compared(old, new).changes]
    assert levels == [Level.BREAKING, Level.ADDITIVE, Level.ADDITIVE]
