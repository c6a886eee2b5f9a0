"""`explain`: the exact place, the rule with the code that `check` finds, the constraints, and legal alternatives."""

import json
import random
from pathlib import Path

import pytest

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.matcher.explain import explain
from agentic_dsl.runtime.matcher.explain_layout import formatted
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from benchmarks.constraint_sets import sample

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
TRIP = Constraints(
    tools=json.loads((EXAMPLES / "tools.json").read_text()),
    max_nodes=5,
    max_subgraph_depth=0,
    context={"available_vars": {"city": "string"}, "required_outputs": ["flights"]},
    libraries=[{"path": "/lib/travel/estimate", "signature": "(days: integer) -> {cost: number}"}],
)
PLAN = """\
### AgenticDSL `/dynamic/plan`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: begin
    type: start
    next: ["/dynamic/plan/find"]
  - id: find
    type: tool_call
    tool: search_flights
    arguments:
      origin: "{{ city }}"
      destination: "Lisbon"
      day: "friday"
    output_keys: ["flights"]
    next: ["/dynamic/plan/check"]
  - id: check
    type: assert
    condition: "{{ length(flights.flights) > 0 }}"
    next: ["/dynamic/plan/done"]
  - id: done
    type: end
    output_keys: ["flights"]
# --- END AgenticDSL ---
```
"""
TO_FIND, LAST = '"/dynamic/plan/find"]', '    output_keys: ["flights"]\n#'


def why(text, constraints=TRIP, **options):
    return explain(start(Plan.of(constraints)), text, before=b"", whole=True, **options)


def changed(old, new):
    assert old in PLAN
    return PLAN.replace(old, new, 1)


def test_a_whole_and_legal_text_needs_no_explanation():
    assert why(PLAN) is None


# what is changed, the code, the constraints that forbid it, the place (line, column), words of the expectation
MISTAKES = [
    ("id: begin", "id: Begin", "ADL710", (), (6, 9), "a new id"),
    ("id: begin", "id: true", "ADL710", (), (6, 13), "a new id"),
    ("type: start", "type: strat", "ADL406", (), (7, 13), "`start`"),
    ("type: start", "type: generate_subgraph", "ADL505", ("max_subgraph_depth",), (7, 11), "one of the types"),
    ("type: start", "type: join", None, (), (7, 11), "one of the types"),
    (TO_FIND, '"/dynamic/plan/fund"]', None, (), (9, 10), "named and not yet declared: `fund`"),
    (TO_FIND, '"/dynamic/plam/find"]', "ADL301", (), (8, 25), "`/dynamic/plan/` and an id"),
    (TO_FIND, '"/lib/travel/estimate"]', "ADL305", ("libraries",), (8, 33), "the input `days`"),
    (TO_FIND, '"/lib/travel/estimat?days=3"]', "ADL301", ("libraries",), (8, 32), "`/lib/travel/estimate`"),
    (TO_FIND, '"/end_soft"]', "ADL704", (), (8, 14), "reference"),
    (TO_FIND, '"/__system__/end_soft"]', "ADL308", ("context.required_outputs",), (8, 14), "reference"),
    (TO_FIND, '"/dynamic/plan/find", "/dynamic/plan/find"]', "ADL215", (), (8, 53), "and an id"),
    ("tool: search_flights", "tool: search_fligts", "ADL703", ("tools",), (11, 22), "`search_flights`"),
    ('      day: "friday"\n', "", "ADL508", ("tools",), (15, 5), "the line `day`"),
    ('      day: "friday"\n', "      day: 12\n", "ADL507", ("tools",), (15, 12), "text in double quotes"),
    ('      day: "friday"\n', '      date: "friday"\n', "ADL509", ("tools",), (15, 9), "the line `day`"),
    ("{{ city }}", "{{ town }}", "ADL603", ("context.available_vars",), (13, 19), "available here: `city`, `now`"),
    ("{{ city }}", "{{ flights }}", "ADL604", ("context.available_vars",), (13, 19), "available here"),
    ("flights.flights", "flights.prices", "ADL511", ("tools",), (20, 35), "field of the result: `flights`"),
    ("flights.flights", "flights.flights | x", "ADL710", (), (20, 42), "what ends the read"),
    ('    output_keys: ["flights"]\n    next', "    next", "ADL107", (), (16, 5), "`output_keys`"),
    ('    next: ["/dynamic/plan/check"]\n', "", "ADL205", (), (17, 3), "`next`"),
    ('"/dynamic/plan/check"]', '"/dynamic/plan/begin"]', "ADL203", (), (17, 32), "`/dynamic/plan/` and an id"),
    ("    type: end", "    type: assert", "ADL121", (), (24, 5), "the line `condition`"),
    ("# --- END", "  - id: x\n    type: end\n# --- END", "ADL204", (), (25, 1), "the end of the block"),
    ("  - id: done\n    type: end\n" + LAST, "#", "ADL301", (), (22, 1), "the next node (`done`"),
    ("/plan`", "/plam`", "ADL701", (), (1, 29), "`### AgenticDSL `/dynamic/plan``"),
    ("nodes:\n", 'signature: "() -> ()"\nnodes:\n', "ADL707", (), (5, 1), "`nodes:`"),
    ("id: done", "id: check", "ADL201", (), (22, 9), "not yet declared: `done`"),
    ('"Lisbon"', f'"{"x" * 500}"', "ADL709", ("max_text_chars",), (14, 421), "the closing quote"),
    ('["flights"]\n    next', '["flights", "prices"]\n    next', "ADL511", ("tools",), (16, 28), "end of the list"),
    ("    condition", "    metadata: {a: 1}\n    condition", "ADL710", (), (20, 5), "the line `condition`"),
    (LAST, LAST[:-1] + '    next: ["/__system__/end_soft"]\n#', "ADL216", (), (25, 1), "the end of the block"),
]


@pytest.mark.parametrize(("old", "new", "code", "fields", "place", "expected"), MISTAKES)
def test_a_mistake_is_placed_and_gets_the_code_that_check_finds(old, new, code, fields, place, expected):
    text = changed(old, new)
    found = why(text)
    assert found.status == "forbidden"
    assert tuple(found.position) == place
    assert expected in found.expected
    assert found.constraints == fields
    if code is not None:
        assert found.rule.code.code == code
        assert code in {finding.code for finding in check(parse(text), constraints=TRIP) if finding.is_error}


@pytest.mark.parametrize(("old", "new"), [("id: done", "id: doen"), (TO_FIND, '"/dynamic/plan/fund"]')])
def test_a_node_that_nobody_named_is_unreachable(old, new):
    found = why(changed(old, new))
    assert found.rule.code.code == "ADL204"
    assert found.rule.section == "5.4"


def test_the_node_that_is_one_too_many_names_the_bound():
    named = ", ".join(f'"/dynamic/plan/{name}"' for name in ("find", "b", "c", "d", "e"))
    found = why(changed(TO_FIND, f"{named}]"))
    assert (found.constraints, found.rule.code.code) == (("max_nodes",), "ADL504")
    assert found.word == ","


def test_what_every_end_must_have_is_named():
    found = why(changed("type: tool_call", "type: end"))
    assert found.constraints == ("context.required_outputs",)
    assert (found.rule.section, found.rule.code.code) == ("5.9", "ADL308")


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"allowed_node_types": ("end", "assign")}, "tool_call"), ({"tools": ()}, "tool_call")],
)
def test_a_type_that_the_constraints_exclude_names_the_constraint(fields, word):
    text = f"{PLAN.partition('    type:')[0]}    type: {word}\n"
    found = why(text, Constraints(**fields))
    assert (found.word, found.constraints) == (word, tuple(fields))


def test_min_nodes_forbids_an_early_end():
    text = f"{PLAN.partition('    type:')[0]}    type: end\n"
    found = why(text, Constraints(min_nodes=3))
    assert (found.constraints, found.rule.code.code) == (("min_nodes",), "ADL705")


def test_a_second_block_names_the_number_of_blocks():
    second = PLAN.replace("### AgenticDSL `/dynamic/plan`", "\n### AgenticDSL `/dynamic/plan/more`")
    found = why(PLAN + second)
    assert (found.constraints, found.rule.code.code) == (("max_subgraphs",), "ADL706")
    assert tuple(found.position) == (27, 1)


def test_nearest_alternatives_come_first():
    assert why(changed("search_flights", "search_fligts")).alternatives == ("search_flights", "search_hotels")
    assert why(changed("type: start", "type: strat")).alternatives[0] == "start"
    assert why(changed("id: done", "id: doen")).alternatives == ("done",)


def test_a_text_that_ends_early_says_what_is_missing():
    cut = PLAN[: PLAN.index("  - id: check")]
    found = why(cut)
    assert found.status == "incomplete"
    assert found.rule.code.code == "ADL711"
    assert "`check`" in found.expected
    assert feed(start(Plan.of(TRIP)), (cut + found.completion).encode()).is_final
    assert explain(start(Plan.of(TRIP)), cut, before=b"") is None  # what is there is allowed


def test_positions_count_characters_of_several_bytes_once():
    found = why(changed('"Lisbon"', '"Łódź €"').replace("type: assert", "type: asert"))
    assert tuple(found.position) == (19, 13)
    assert found.byte_offset == found.offset + 5


def test_from_the_middle_of_a_text_the_place_counts_from_its_beginning():
    at = PLAN.index("search_flights") - 4
    before, after = PLAN[:at], changed("search_flights", "search_fligts")[at:]
    frame = feed(start(Plan.of(TRIP)), before.encode())
    known = explain(frame, after, before=before)
    assert known == why(before + after)
    alone = explain(frame, after)
    assert alone.byte_offset == known.byte_offset - at


def test_without_the_text_before_it_a_token_is_still_explained():
    at = PLAN.index("search_flights")
    frame = feed(start(Plan.of(TRIP)), PLAN[:at].encode())
    assert explain(frame, b"search_") is None
    found = explain(frame, b"find")
    assert (found.word, found.alternatives) == ("find", ("search_flights", "search_hotels"))


def test_a_byte_that_is_no_character_is_explained():
    raw = PLAN.encode()
    at = raw.index(b"Lisbon")
    found = why(raw[:at] + b"\xc3(" + raw[at:])
    assert at <= found.byte_offset <= at + 1


LAYOUTS = [
    (TO_FIND, '"find"]'),
    (TO_FIND, '"/dynamic/plan/find" ]'),
    ('    next: ["/dynamic/plan/find"]', "    next: find"),
    ('"Lisbon"', "'Lisbon'"),
    ("nodes:\n", "nodes:\n\n"),
    ('    tool: search_flights\n    arguments:\n      origin: "{{ city }}"\n', None),
]


@pytest.mark.parametrize(("old", "new"), LAYOUTS)
def test_where_only_the_layout_is_wrong_formatting_makes_it_legal(old, new):
    text = changed(old, new if new is not None else '    arguments:\n      origin: "{{ city }}"\n')
    if new is None:
        text = text.replace(
            '    output_keys: ["flights"]\n    next', "    tool: search_flights\n    output_keys: [flights]\n    next"
        )
    found = why(text)
    assert found is not None
    shown = formatted(text, TRIP)
    assert shown.explanation is None
    assert not shown.has_prose
    assert why(shown.text) is None
    if new is not None:
        assert found.rule.layout


def test_text_around_the_block_is_told_from_its_layout():
    for text in (f"Sure!\n\n{PLAN}", f"{PLAN}Done.\n"):
        assert why(text).rule.code.code == "ADL710"
        shown = formatted(text, TRIP)
        assert shown.has_prose
        assert shown.explanation is None
    assert formatted(PLAN, TRIP) is None


@pytest.mark.parametrize("seed", range(0, 24, 4))
def test_any_damage_is_placed_exactly_and_alternatives_may_stand_there(seed):
    rng = random.Random(seed)
    for number in range(seed, seed + 4):
        try:
            plan = Plan.of(sample(random.Random(number)))
        except ConstraintError:
            continue
        text = _walk(plan, rng)
        for _ in range(6):
            at = rng.randrange(len(text))
            raw = text[:at] + rng.choice((b"", b"x", b"9", b'"', b", ", b"\n", b"end", b"{{ q }}")) + text[at + 1 :]
            frame, reach = start(plan), 0
            while reach < len(raw) and (after := frame.step(raw[reach])) is not None:
                frame, reach = after, reach + 1
            found = explain(start(plan), raw, before=b"", whole=True)
            if reach == len(raw):
                assert (found is None) == frame.is_final
                continue
            assert found.byte_offset <= reach < found.byte_offset + 4  # a character has at most four bytes
            assert found.expected, found
            json.dumps(found.record())
            head = raw.decode("utf-8", "replace")[: found.word_offset].encode()
            for word in found.alternatives if b"\xef\xbf\xbd" not in head else ():
                assert _fits(start(plan), head, word), (found.message, word, head[-200:])


def _walk(plan, rng):
    frame, text = start(plan), b""
    for _ in range(600):
        if frame.is_final:
            break
        byte = rng.choice(frame.allowed())
        frame, text = frame.step(byte), text + bytes((byte,))
    return text + finish(frame)


def _fits(frame, head, word):
    """Whether a word may stand behind a text: as it is, as a line's key, or behind what a reference shares."""
    raw = word.encode()
    ways = [
        raw,
        b"    " + raw + b":",
        b"      " + raw + b":",
        b"  " + raw,
        b'"' + raw,
        raw[raw.rfind(b"/") + 1 :],
        b"\n" + raw,
    ]
    ways += [b'      "' + raw + b'":', b"?" + raw]
    frame = feed(frame, head)
    return frame is not None and any(feed(frame, way) is not None for way in ways)
