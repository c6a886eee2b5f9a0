"""Bodies: what the nodes do behind a contract, and the one thing that callers see of it: whether a call comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agentic_dsl.ast import Subgraph
from agentic_dsl.canonical import node_data
from agentic_dsl.compiler.compatibility import kinds
from agentic_dsl.compiler.compatibility.change import Change
from agentic_dsl.compiler.compatibility.pairing import Pair
from agentic_dsl.node_references import is_backward, reference_fields, references_in
from agentic_dsl.node_table import AnyNode, End
from agentic_dsl.paths import SYSTEM_TARGETS, Hardness
from agentic_dsl.span import Span

_NAMED = 5
"""Ids that a message names before it counts the others."""


def compare_bodies(pair: Pair) -> Iterator[Change]:
    """Which nodes of a block changed; spellings, order and comments are no difference."""
    old, new = pair.old.canonical, pair.new.canonical
    if not isinstance(old, Subgraph) or not isinstance(new, Subgraph):
        return
    before, after = _texts(old), _texts(new)
    groups = {
        "changed": [name for name, texts in after.items() if name in before and before[name] != texts],
        "new": [name for name in after if name not in before],
        "gone": [name for name in before if name not in after],
    }
    said = [f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {word}" for word, names in groups.items() if names]
    if old.entry_id != new.entry_id and new.entry_id is not None:
        said.append(f'"{new.entry_id}" runs first')
    if said:
        first = next((name for names in (groups["changed"], groups["new"]) for name in names), new.entry_id)
        place = pair.new.place(_span(pair.new.block, first))
        yield Change(kinds.BODY_CHANGED, place, f"nodes of {pair.name}: {', '.join(said)}")


def _texts(subgraph: Subgraph) -> dict[str, list[str]]:
    """What every node says, by id; a list, because ids may be there twice."""
    found: dict[str, list[str]] = {}
    for node in subgraph.nodes:
        found.setdefault(node.id, []).append(json.dumps(node_data(node), sort_keys=True))
    return found


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED:,} others"


def _span(block: object, name: str | None) -> Span | None:
    nodes = block.nodes if isinstance(block, Subgraph) else ()
    return next((node.spans.value(("id",)) or node.span for node in nodes if node.id == name), None)


# --- whether a call comes back ---------------------------------------------------------------------------------------


def compare_ends(pair: Pair) -> Iterator[Change]:
    """Whether all ends are soft: a hard one ends the run of the caller too."""
    old, new = pair.old.block, pair.new.block
    if not isinstance(old, Subgraph) or not isinstance(new, Subgraph):
        return
    before, after = hard_end(old), hard_end(new)
    if before is None and after is not None and _ends_softly(old):
        message = f'{pair.name} may end the run of its caller at node "{after.id}"; it always came back'
        place = pair.new.place(after.spans.value(("id",)) or after.span)
        yield Change(kinds.NO_RETURN, place, message, "end with termination_mode soft")
    elif before is not None and after is None and _ends_softly(new):
        yield Change(kinds.RETURNS, pair.new.place(), f"{pair.name} always comes back; it could end the run")


def hard_end(subgraph: Subgraph) -> AnyNode | None:
    """The first node that ends the whole run, None where there is none."""
    return next((node for node in subgraph.nodes if Hardness.HARD in _endings(node)), None)


def _ends_softly(subgraph: Subgraph) -> bool:
    return any(Hardness.SOFT in _endings(node) for node in subgraph.nodes)


def _endings(node: AnyNode) -> set[Hardness]:
    """How the run may end at a node: by being an end, or by going to a system target."""
    if isinstance(node, End):
        return {Hardness(node.termination_mode)}
    ahead = [spec for spec in reference_fields(node) if not is_backward(spec)]
    targets = (reference.text for spec in ahead for reference in references_in(node, spec))
    return {SYSTEM_TARGETS[target] for target in targets if target in SYSTEM_TARGETS}
