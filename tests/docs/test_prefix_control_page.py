"""The page on what can be told to engines' caches has exactly the records' words."""

from __future__ import annotations

from pathlib import Path

from agentic_dsl.runtime.engines.prefix_controls import PREFIX_CALLS, PREFIX_CONTROLS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "prefix-control.md").read_text(encoding="utf-8").splitlines()


def rows_under(header: str) -> list[str]:
    start = PAGE.index(header) + 2
    end = next(at for at in range(start, len(PAGE)) if not PAGE[at].startswith("|"))
    return PAGE[start:end]


def overview() -> list[str]:
    return [
        f"| `{call}` | {' | '.join(record.support(call).extent for record in PREFIX_CONTROLS.values())} |"
        for call in PREFIX_CALLS
    ]


def details() -> list[str]:
    rows = []
    for name, record in PREFIX_CONTROLS.items():
        supports = {call: record.support(call) for call in PREFIX_CALLS}
        same = len(set(supports.values())) == 1
        for call, support in list(supports.items())[: 1 if same else None]:
            shown = "every call" if same else f"`{call}`"
            rows.append(f"| `{name}` | {shown} | {support.detail} | {support.instead or '–'} |")
    return rows


def test_the_overview_has_each_call_of_each_engine() -> None:
    assert rows_under(f"| call | {' | '.join(PREFIX_CONTROLS)} |") == overview()


def test_the_details_are_the_records_words() -> None:
    assert rows_under("| engine | call | what it does, or why it does not | instead |") == details()
