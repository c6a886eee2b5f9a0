"""Makes a serialised compiled grammar small enough to be worth loading.

xgrammar 0.2 writes its automaton once for the grammar and then again for every rule, whole: at 84 rules 4.0 of
4.3 MB, at ``node{1,2000}`` 12.0 of 13.2. Loading time is parsing time, so each copy is cut down to the states
that its rule can reach, which is all that a matcher in that rule ever reads. Measured on 2 cores: 72 → 18 ms, with a
count of 2000 157 → 28 ms; a quarter of the file and of the memory after loading.

The text is only ever cut where it has exactly the known shape; otherwise it stays as it is.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

_log = logging.getLogger(__name__)

_WHOLE = '"complete_fsm":'
_RULES = ',"per_rule_fsms":'


def slim(serialized: str) -> str:
    """The same compiled grammar with each rule's automaton cut to what it can reach.

    Args:
        serialized: what xgrammar's ``CompiledGrammar.serialize_json`` returns.

    Returns:
        A text that ``CompiledGrammar.deserialize_json`` reads to an equivalent grammar.
    """
    begin = serialized.find(_WHOLE)
    end = serialized.find(_RULES, begin)
    if begin < 0 or end < 0:
        return _unknown(serialized)
    whole = serialized[begin + len(_WHOLE) : end]
    try:
        automaton = _Automaton.read(whole)
        # Each copy of the automaton is followed by its start state: `,96,[…]`.
        first, *rest = serialized[end:].split(whole)
        pieces = [serialized[:end], first]
        for piece in rest:
            pieces += (automaton.reachable(int(piece[1 : piece.index(",", 1)])), piece)
    except (ValueError, KeyError, IndexError, TypeError):
        return _unknown(serialized)
    return "".join(pieces)


def _unknown(serialized: str) -> str:
    _log.info("this release of xgrammar serialises grammars in a new way; they are stored uncut")
    return serialized


@dataclass(frozen=True, slots=True)
class _Automaton:
    """The automaton of a whole grammar: compressed sparse rows, one a state.

    Attributes:
        offsets: the edges of state s are those from offsets[s] to offsets[s + 1].
        targets: the state that each edge leads to.
        edges: each edge as text.
        aux: data that edges refer to by index, as text.
    """

    offsets: list[int]
    targets: list[int]
    edges: list[str]
    aux: str

    @classmethod
    def read(cls, text: str) -> _Automaton:
        content: dict[str, Any] = dict(json.loads(text))
        if set(content) != {"edges", "edge_aux_data", "edge_num"} or set(content["edges"]) != {"data_", "indptr_"}:
            raise ValueError(f"unknown keys: {list(content)}")
        edges: list[list[int]] = content["edges"]["data_"]
        if any(len(edge) != 3 for edge in edges):
            raise ValueError("an edge is not (from, to, target)")
        return cls(
            content["edges"]["indptr_"],
            [edge[2] for edge in edges],
            [_compact(edge) for edge in edges],
            _compact(content["edge_aux_data"]),
        )

    def reachable(self, start: int) -> str:
        """The automaton without the edges of states that ``start`` cannot reach; states keep their numbers."""
        seen = {start}
        stack = [start]
        while stack:
            state = stack.pop()
            for target in self.targets[self.offsets[state] : self.offsets[state + 1]]:
                if target not in seen:
                    seen.add(target)
                    stack.append(target)
        kept: list[str] = []
        offsets = [0]
        for state in range(max(seen) + 1):
            if state in seen:
                kept += self.edges[self.offsets[state] : self.offsets[state + 1]]
            offsets.append(len(kept))
        return (
            f'{{"edges":{{"data_":[{",".join(kept)}],"indptr_":{_compact(offsets)}}},'
            f'"edge_aux_data":{self.aux},"edge_num":{len(kept)}}}'
        )


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
