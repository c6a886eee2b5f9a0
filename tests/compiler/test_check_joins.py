import pytest
from checking import application, codes_of, errors_of, findings, only, subgraph

FORK = """
- {{id: f, type: fork, fork: {{branches: [a, b]}}}}
- {{id: a, type: assign, assign: {{x: 1}}, {a}}}
- {{id: b, type: assign, assign: {{{key}: 1}}, {b}}}
- {{id: j, type: join, {j}, next: e}}
- {{id: e, type: end}}
"""


def forked(a: str = "next: j", b: str = "next: j", j: str = "join: {wait_for: [a, b]}", key: str = "y") -> str:
    return subgraph(FORK.format(a=a, b=b, j=j, key=key))


@pytest.mark.parametrize(
    "text",
    [
        forked(),
        forked(j='join: {wait_for: ["@all"]}'),
        forked(j="wait_for: [a, b]"),
        forked(a="metadata: {}", b="metadata: {}"),
        forked(a="metadata: {}"),
        forked(a="on_error: /end_soft, next: j"),
    ],
)
def test_these_joins_are_fine(text: str) -> None:
    assert errors_of(text) == []


def test_a_join_is_not_jumped_to() -> None:
    found = only(forked(a="on_error: j, next: j"))
    assert found[:3] == ("ADL209", "j", 'node "a" jumps to join "j" when it fails')


def test_a_source_that_may_fail_must_not_leave_the_join_waiting() -> None:
    found = [f for f in findings(forked(a="on_error: e, next: j")) if f.code == "ADL210"]
    assert len(found) == 1
    assert found[0].text == "j"
    assert found[0].message == (
        'join "j" waits for "a" and "b", which do not always both lead to it: "a" may fail and go another way'
    )


def test_both_ways_of_one_node_may_meet_again_before_a_join() -> None:
    nodes = """
    - {id: f, type: fork, fork: {branches: [a, b]}}
    - {id: a, type: assign, assign: {x: 1}, on_error: r, next: m}
    - {id: r, type: assign, assign: {z: 1}, next: m}
    - {id: m, type: assign, assign: {w: 1}, next: j}
    - {id: b, type: assign, assign: {y: 1}, next: j}
    - {id: j, type: join, join: {wait_for: [m, b]}, next: /end}
    """
    assert errors_of(subgraph(nodes)) == []


def test_a_join_waits_for_all_that_lead_to_it() -> None:
    found = only(forked(j="join: {wait_for: [a]}"))
    assert found[:3] == ("ADL211", "[a]", 'node "b" leads to join "j", which does not wait for it')


def test_a_join_waits_for_nobody_else() -> None:
    found = only(forked(j="join: {wait_for: [a, b, f]}"))
    assert found[:3] == ("ADL211", "f", 'join "j" waits for "f", which does not lead to it')


def test_a_source_with_a_mistaken_next_is_not_accused_twice() -> None:
    assert errors_of(forked(a="next: jj")) == ["ADL301"]


def test_values_that_collide_need_a_strategy() -> None:
    found = only(forked(key="x"))
    assert found[:3] == ("ADL605", "j", 'join "j" gets different values of "x" from "a" and "b"')
    for strategy in ("deep_merge", "array_concat", "array_merge_unique"):
        assert errors_of(forked(key="x", j=f"join: {{wait_for: [a, b], merge_strategy: {strategy}}}")) == []


def test_a_policy_may_allow_one_name() -> None:
    allowed = 'join: {wait_for: [a, b]}, context_merge_policy: {"$.x*": deep_merge}'
    assert errors_of(forked(key="x", j=allowed)) == []
    other = 'join: {wait_for: [a, b]}, context_merge_policy: {"z": deep_merge}'
    assert errors_of(forked(key="x", j=other)) == ["ADL605"]
    forbidden = 'join: {wait_for: [a, b], merge_strategy: deep_merge}, context_merge_policy: {"x": error_on_conflict}'
    assert errors_of(forked(key="x", j=forbidden)) == ["ADL605"]


def test_an_application_may_allow_it_for_all() -> None:
    nodes = FORK.format(a="next: j", b="next: j", j="join: {wait_for: [a, b]}", key="x")
    assert errors_of(application(nodes, "context_merge_strategy: deep_merge")) == []


def test_the_last_write_wins_in_dev_only() -> None:
    nodes = FORK.format(
        a="next: j", b="next: j", j="join: {wait_for: [a, b], merge_strategy: last_write_wins}", key="x"
    )
    assert errors_of(application(nodes, "mode: dev")) == []
    found = only(application(nodes, "mode: prod"))
    assert found[:2] == ("ADL510", "last_write_wins")
    assert errors_of(
        application(
            FORK.format(a="next: j", b="next: j", j="join: {wait_for: [a, b]}", key="y"),
            "context_merge_strategy: last_write_wins",
        )
    ) == ["ADL510"]


def test_a_value_written_before_the_fork_does_not_collide_with_itself() -> None:
    nodes = """
    - {id: s, type: assign, assign: {x: 1}, next: f}
    - {id: f, type: fork, fork: {branches: [a, b]}}
    - {id: a, type: assign, assign: {y: 1}, next: j}
    - {id: b, type: assign, assign: {z: 1}, next: j}
    - {id: j, type: join, join: {wait_for: [a, b]}, next: /end}
    """
    assert codes_of(subgraph(nodes)) == []
    assert codes_of(subgraph(nodes.replace("assign: {y: 1}", "assign: {x: 2}"))) == ["ADL605"]


def test_a_policy_names_a_strategy() -> None:
    assert "ADL109" in errors_of(forked(j='join: {wait_for: [a, b]}, context_merge_policy: {"x": newest}'))


def test_nobody_leads_to_the_join() -> None:
    nodes = '- {id: j, type: join, join: {wait_for: ["@all"]}, next: /end}'
    assert errors_of(subgraph(nodes)) == ["ADL211"]
