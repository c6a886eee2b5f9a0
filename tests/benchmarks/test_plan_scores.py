"""F1 of plans against gold plans, on plans made by hand."""

from __future__ import annotations

import pytest

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.document import parse
from benchmarks.plan_scores import Counts, PlanScores, arguments, score


def plan(*nodes: str) -> Subgraph:
    body = "".join(f"  - {{{node}}}\n" for node in nodes)
    [subgraph] = parse(f"### AgenticDSL `/dynamic/plan`\n```yaml\ngraph_type: subgraph\nnodes:\n{body}```\n").subgraphs
    return subgraph


def call(tool: str, arguments: str, keys: str, rest: str = "") -> str:
    return f"id: {tool}_{keys}, type: tool_call, tool: {tool}, arguments: {{{arguments}}}, output_keys: [{keys}]{rest}"


FIND = call("find", "city: Rome, stars: 4", "hotel")
BOOK = call("book", 'id: "{{ hotel.id }}"', "done")
END = "id: end, type: end"
GOLD = plan(FIND, BOOK, END)


def values(*nodes: str) -> list[str]:
    return [value for _, _, value in arguments(plan(*nodes).nodes)]


def test_the_gold_plan_itself_scores_one() -> None:
    scores = score(GOLD, GOLD)
    assert [scores.node, scores.tool, scores.argument] == [Counts(3, 3, 3), Counts(2, 2, 2), Counts(3, 3, 3)]
    assert [scores.node.f1, scores.tool.f1, scores.argument.f1] == [1.0, 1.0, 1.0]


def test_a_plan_that_cannot_be_read_is_an_empty_one() -> None:
    scores = score(GOLD, None)
    assert scores == PlanScores(Counts(0, 0, 3), Counts(0, 0, 2), Counts(0, 0, 3))
    assert scores.node.f1 == 0.0


def test_nodes_are_equal_by_type_and_tool_whatever_their_ids_and_order() -> None:
    other = plan(BOOK.replace("book_done", "x"), "id: a, type: assign, assign: {b: 1}", END)
    assert score(GOLD, other).node == Counts(shared=2, generated=3, gold=3)


def test_an_end_helps_the_nodes_and_not_the_tools() -> None:
    scores = score(GOLD, plan(END))
    assert (scores.node.shared, scores.tool.shared) == (1, 0)


def test_a_call_that_is_repeated_counts_once_for_each_time_in_the_gold_plan() -> None:
    again = FIND.replace("find_hotel", "again")
    assert score(GOLD, plan(FIND, again, END)).tool == Counts(shared=1, generated=2, gold=2)
    assert score(plan(FIND, again, END), plan(FIND, again, END)).tool == Counts(2, 2, 2)


def test_the_right_value_for_the_wrong_tool_or_name_is_not_shared() -> None:
    assert score(GOLD, plan(call("search", "city: Rome", "hotel"))).argument.shared == 0
    assert score(GOLD, plan(call("find", "town: Rome", "hotel"))).argument.shared == 0
    assert score(GOLD, plan(call("find", "city: Rome", "hotel"))).argument == Counts(1, 1, 3)


@pytest.mark.parametrize(
    ("written", "same"),
    [("4.0", True), ('"4"', False), ("5", False), ("true", False), ("[4]", False)],
)
def test_values_are_equal_as_json_is(written: str, same: bool) -> None:
    got = plan(call("find", f"stars: {written}", "hotel"))
    assert score(plan(call("find", "stars: 4", "hotel")), got).argument.shared == int(same)


def test_runs_of_blanks_count_as_one() -> None:
    assert values(call("find", 'city: " New   York "', "a")) == ['"New York"']


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ("hotel", "{{ hotel.id }}"),
        ("x", "{{x.id}}"),
        ("x", "{{ $.x.id }}"),
        ("x", '{{ x["id"] }}'),
        ("id, name", "{{ id }}"),
    ],
)
def test_a_read_is_of_the_call_whatever_the_plan_calls_its_result(keys: str, read: str) -> None:
    # In YAML's single quotes, as the read may hold double ones.
    got = plan(call("find", "city: Rome, stars: 4", keys), call("book", f"id: '{read}'", "done"), END)
    assert score(GOLD, got).argument == Counts(3, 3, 3)


def test_a_read_of_another_call_or_field_is_another_value() -> None:
    first = call("find", "city: Oslo", "other")
    assert values(first, FIND, BOOK)[-1] == '"{{ #2.id }}"'
    assert values(FIND, BOOK.replace("hotel.id", "hotel.key"))[-1] == '"{{ #1.key }}"'


def test_output_mappings_name_paths_of_the_result() -> None:
    mapped = call("find", "city: Rome", "all", ', output_mapping: {best: "rooms[0].id"}')
    assert values(mapped, call("book", 'id: "{{ best }}"', "done"))[-1] == '"{{ #1.rooms[0].id }}"'


def test_reads_inside_a_longer_text_are_named_too() -> None:
    assert values(FIND, call("book", 'id: "no. {{ hotel.id }} of {{upper(hotel.city)}}"', "done"))[-1] == (
        '"no. {{ #1.id }} of {{ upper(#1.city) }}"'
    )


def test_reads_through_an_assign_are_followed() -> None:
    assign = 'id: a, type: assign, assign: {room: "{{ hotel.room }}", nights: 3, text: "for {{ hotel }}"}'
    book = call("book", 'id: "{{ room.id }}", nights: "{{ nights }}", text: "{{ text }}"', "done")
    assert values(FIND, assign, book)[2:] == ['"{{ #1.room.id }}"', "3", '"for {{ #1 }}"']


def test_the_last_writer_of_a_name_is_the_one_that_is_read() -> None:
    assert values(FIND, call("find", "city: Oslo", "hotel"), BOOK)[-1] == '"{{ #2.id }}"'
    model = "id: m, type: dsl_call, prompt_template: hi, llm_tool_name: m, output_keys: [hotel]"
    assert values(FIND, model, BOOK)[-1] == '"{{ hotel.id }}"'


def test_what_nothing_has_written_yet_keeps_its_name() -> None:
    assert values(BOOK, FIND)[0] == '"{{ hotel.id }}"'


def test_templates_that_cannot_be_read_are_plain_texts() -> None:
    assert values(call("find", 'city: "{{ a b }"', "x")) == ['"{{ a b }"']


def test_lists_and_mappings_are_compared_inside() -> None:
    assert values(FIND, call("book", 'ids: ["{{ hotel.id }}", 1.0], who: {b: 1, a: "x"}', "d"))[2:] == [
        '["{{ #1.id }}", 1]',
        '{"a": "x", "b": 1}',
    ]


def test_one_template_for_all_arguments_has_the_name_of_none() -> None:
    whole = "id: b, type: tool_call, tool: book, arguments: '{{ hotel }}', output_keys: [d]"
    assert list(arguments(plan(FIND, whole).nodes))[-1] == ("book", "*", '"{{ #1 }}"')


def test_sums_are_of_counts_not_of_ratios() -> None:
    both = score(GOLD, GOLD) + score(GOLD, plan(END))
    assert both.node == Counts(shared=4, generated=4, gold=6)
    assert both.node.f1 == pytest.approx(0.8)


def test_two_empty_multisets_agree() -> None:
    assert Counts().f1 == 1.0
