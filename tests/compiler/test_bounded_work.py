"""Documents made to be slow: what is done for them is bounded, and what is left out is said."""

from __future__ import annotations

import tracemalloc

import pytest

from agentic_dsl import codes
from agentic_dsl.ast import Document
from agentic_dsl.compiler import versions
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.checks import budgets
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.permissions import Held
from agentic_dsl.compiler.parse import text_limits
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.diagnostics import MAX_TEXT, Code
from agentic_dsl.permission import Permission


def _block(path: str, body: str) -> str:
    return f"### AgenticDSL `{path}`\n```yaml\n{body}```\n"


def _node(text: str) -> str:
    return f"graph_type: subgraph\nnodes:\n  - {{id: a, {text}}}\n"


def _spans(document: Document, code: Code) -> list[str]:
    return [document.source.text[d.span.start : d.span.end] for d in document.diagnostics if d.kind is code]


# --- small texts -----------------------------------------------------------------------------------------------------


def test_of_a_long_list_of_permissions_the_first_thousand_are_read() -> None:
    items = "".join(f"  - file:r{n}\n" for n in range(text_limits.MAX_PERMISSIONS + 2))
    document = parse(_block("/lib/utils/x", f'signature: "() -> ()"\npermissions:\n{items}'))
    assert _spans(document, codes.TEXT_LIMIT) == [f"file:r{text_limits.MAX_PERMISSIONS}"]
    assert len(getattr(document.blocks[0], "permissions")) == text_limits.MAX_PERMISSIONS  # noqa: B009  a contract's


def test_signatures_beyond_the_limit_are_not_read_and_said_once() -> None:
    long = ", ".join(f"input_{n}: string" for n in range(text_limits.MAX_LENGTH // 16))
    text = _block("/lib/utils/a", f'signature: "({long}) -> ()"\n')
    short = [_block(f"/lib/utils/b{n}", 'signature: "(x: string) -> ()"\n') for n in range(2)]
    document = parse(short[0] + text + short[1])
    assert len(_spans(document, codes.TEXT_LIMIT)) == 1
    assert [getattr(block, "signature", None) is not None for block in document.blocks] == [True, False, False]
    assert not [d for d in document.diagnostics if d.kind is codes.BAD_SIGNATURE]


@pytest.mark.parametrize(
    ("body", "short"),
    [
        ('signature: "() -> ()"\npermissions: [{}]\n', '"tool: search_{n}"'),
        ("signature:\n  inputs: {{{}}}\n", "x{n}: array<thing_{n}>"),
        ('signature: "() -> ()"\ngraph_type: subgraph\nrequires: [{}]\nnodes: []\n', '"/lib/utils/x{n}"'),
        ("graph_type: subgraph\nnodes:\n  - {{id: a, type: start, next: [{}]}}\n", '"//x{n}"'),
        ("graph_type: subgraph\nnodes:\n  - {{id: a, type: start, next: [{}]}}\n", '"/lib/x?a={n}"'),
        ("graph_type: subgraph\nnodes:\n  - {{id: a, type: start, next: [{}]}}\n", '"{{{{ x{n} }}}}"'),
    ],
)
def test_every_language_of_small_texts_counts(monkeypatch: pytest.MonkeyPatch, body: str, short: str) -> None:
    monkeypatch.setattr(text_limits.TextBudget.__init__, "__defaults__", (100, False))
    items = ", ".join(short.format(n=n) for n in range(20))
    assert len(_spans(parse(_block("/lib/utils/x", body.format(items))), codes.TEXT_LIMIT)) == 1


def test_paths_and_ids_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_limits.TextBudget.__init__, "__defaults__", (0, False))
    document = parse(_block("/main/x", _node("type: start, next: [b, /main/x/c, /__system__/end_soft]")))
    assert document.diagnostics == ()


def test_a_message_leaves_out_the_middle_of_a_very_long_name() -> None:
    document = parse(_block("/main/x", _node(f'type: start, next: ["/lib/x?{"a=1&" * 20_000}b=2"]')))
    messages = [d.message for d in check(document)]
    assert any(m.endswith('b=2", which no library defines') and " … " in m for m in messages)
    assert max(map(len, messages)) <= MAX_TEXT


# --- permissions -----------------------------------------------------------------------------------------------------


def test_a_permission_is_compared_with_those_of_its_kind_and_name() -> None:
    held = Held([Permission("tool", "a", {"scope": "read"}), Permission("network"), Permission("tool", "b")])
    assert held.cover(Permission("network", "outbound"))
    assert held.cover(Permission("tool", "b", {"scope": "write"}))
    assert not held.cover(Permission("tool", "a"))
    assert held.cover(Permission("tool", "a", {"scope": "read"}))
    assert not held.cover(Permission("tool"))
    assert not Held([])


# --- libraries with many versions ------------------------------------------------------------------------------------

_MANY = 40


def _versions(next_: str) -> Document:
    entries = "".join(_block(f"/lib/utils/x@v{n}.{n}.1", "signature: '() -> ()'\n") for n in range(1, _MANY))
    return parse(entries + _block("/main/x", _node(f'type: start, next: ["{next_}", /__system__/end_soft]')))


@pytest.mark.parametrize(
    ("reference", "version"),
    [("/lib/utils/x", "39.39.1"), ("/lib/utils/x@v7", "7.7.1"), ("/lib/utils/x@v7.7", "7.7.1"), ("@v8.8.1", "8.8.1")],
)
def test_of_many_versions_the_right_one_is_called(reference: str, version: str) -> None:
    context = CheckContext(_versions(reference if reference.startswith("/") else f"/lib/utils/x{reference}"))
    [call] = [link.target.call for link in context.graph.links if link.target.call is not None]
    assert str(call.version) == version


def test_a_missing_version_names_the_last_of_many() -> None:
    [finding] = [d for d in check(_versions("/lib/utils/x@v7.8")) if d.kind is codes.NO_SUCH_VERSION]
    assert "39.39.1 and 31 older ones" in finding.message
    assert "31.31.1" not in finding.message


def test_many_unknown_inputs_of_one_call_are_not_all_reported() -> None:
    query = "&".join(f"a{n}=1" for n in range(300))
    text = _block("/lib/utils/x", "signature: '(q: string) -> ()'\n")
    text += _block("/main/x", _node(f'type: start, next: ["/lib/utils/x?{query}&q=1", /__system__/end_soft]'))
    findings = [d.kind for d in check(parse(text))]
    assert findings.count(codes.UNKNOWN_INPUT) == 100
    assert codes.MISSING_INPUT not in findings


# --- blocks that generate each other ---------------------------------------------------------------------------------


def _generating(count: int) -> Document:
    node = "type: generate_subgraph, prompt_template: x, output_keys: k, namespace_prefix: /dynamic/x, next: /end"
    return parse("".join(_block(f"/dynamic/x/y{n}", _node(node)) for n in range(count)))


def test_blocks_that_share_a_prefix_are_not_paired() -> None:
    graph = budgets._BlockGraph(CheckContext(_generating(50)))
    assert sum(map(len, graph.steps)) == 100
    assert len(graph.on_cycles()) == 51


def test_each_block_that_generates_into_its_own_place_is_named() -> None:
    findings = [d for d in check(_generating(3)) if d.kind is codes.GENERATION_CYCLE]
    assert [d.message for d in findings] == [f'"/dynamic/x/y{n}" reaches itself again' for n in range(3)]


def test_the_search_for_circles_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_MAX_STEPS", 100)
    findings = [d for d in check(_generating(50)) if d.kind is codes.GENERATION_CYCLE]
    assert 1 < len(findings) < 50
    assert findings[-1].message.endswith("leads to itself or to one of the many blocks that do")
    assert findings[-1].is_error


# --- many names ------------------------------------------------------------------------------------------------------


def _wide(names: int, diamonds: int) -> str:
    """Two branches that write the same names, then diamonds one behind the other that write some of them again."""
    keys = [f"k{number}" for number in range(names)]
    call = "type: dsl_call, prompt_template: x, llm_tool_name: m, output_keys"
    lines = ["{id: f, type: fork, fork: {branches: [a, b]}}"]
    lines += [f"{{id: {branch}, {call}: [{', '.join(keys)}], next: j0}}" for branch in "ab"]
    for at in range(diamonds):
        join = "type: join, join: {wait_for: ['@all'], merge_strategy: deep_merge}"
        lines.append(f"{{id: j{at}, {join}, next: [p{at}, q{at}]}}")
        lines.append(f"{{id: p{at}, type: assign, assign: {{{keys[at % names]}: 1}}, next: j{at + 1}}}")
        lines.append(f"{{id: q{at}, type: assign, assign: {{own{at}: 1}}, next: j{at + 1}}}")
    lines += [
        f"{{id: j{diamonds}, type: join, join: {{wait_for: ['@all'], merge_strategy: deep_merge}}, next: e}}",
        "{id: e, type: end}",
    ]
    return _block("/main/x", "graph_type: subgraph\nnodes:\n" + "".join(f"  - {line}\n" for line in lines))


def test_names_that_diamonds_hand_on_take_memory_once() -> None:
    document = parse(_wide(3_000, 600))
    tracemalloc.start()
    try:
        found = check(document)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not [d for d in found if d.is_error]
    assert peak < 30 * 2**20  # a table of all names at each node would take ten times that


def test_more_names_than_can_be_followed_are_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "MAX_MEMBERS", 2_000)
    document = parse(_wide(200, 5))
    assert [d.kind for d in check(document) if d.is_error] == [codes.NAME_LIMIT]
    assert not [d for d in check(parse(_wide(20, 5))) if d.is_error]


def test_joins_beyond_the_limit_of_steps_are_said_to_be_unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MAX_STEPS", 1_000)
    document = parse(_wide(200, 50))
    findings = [d for d in check(document) if d.is_error]
    assert [d.kind for d in findings] == [codes.MERGE_LIMIT]
    assert document.source.text[findings[0].span.start : findings[0].span.end].startswith("j")
