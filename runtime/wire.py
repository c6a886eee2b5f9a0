"""How a contract travels to another process: in a comment of the grammar that enforces a part of it.

Servers take a grammar's text and nothing else of ours. The text is therefore complete by itself (any stock engine
enforces it), and its first line is a comment, which stock engines skip and our plug-ins read::

    # agentic-dsl 1 {"constraints":{…},"max_output_tokens":512,"semantic":true}
    root ::= …

A plug-in trusts nothing of it: the constraints are validated as any others, within the bounds of `Bounds`, and what it
enforces is compiled from them, not from the text below.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import ConstraintError

if TYPE_CHECKING:
    from agentic_dsl.compiler.pipeline import CompiledSpec

VERSION = 1
"""Of the comment. A plug-in that knows another one enforces the grammar alone, and says so."""

_MARK = "# agentic-dsl "


@dataclass(frozen=True, slots=True)
class Contract:
    """What a request asks a plug-in to enforce.

    Attributes:
        constraints: of the answer.
        max_output_tokens: the most tokens of the answer, end token included; None where only the context ends it.
        semantic: whether all rules are asked for; False is the grammar alone.
    """

    constraints: Constraints
    max_output_tokens: int | None = None
    semantic: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server is willing to read.

    Attributes:
        characters: of comment and grammar together.
        nodes: the largest ``max_nodes``.
    """

    characters: int = 4 << 20
    nodes: int = 10_000


class UnknownVersionError(ConstraintError):
    """The comment is of a version that is not known here; the grammar below it holds all the same."""


def with_contract(spec: CompiledSpec, *, max_output_tokens: int | None = None, semantic: bool = True) -> str:
    """The text of a grammar with its contract in front; the same for contracts that allow the same documents.

    Args:
        spec: in the ``xgrammar`` dialect.
        max_output_tokens: see `Contract`; None takes the one of the constraints.
        semantic: see `Contract`.
    """
    limit = spec.constraints.max_output_tokens if max_output_tokens is None else max_output_tokens
    rest = json.dumps({"max_output_tokens": limit, "semantic": semantic}, separators=(",", ":"))
    # ASCII on one line, so nothing in it can end the comment. Defaults are left out: a plug-in of a release that does
    # not have a field yet refuses only what uses it.
    given = spec.constraints.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(given, separators=(",", ":"))  # in their order: arguments are written in that of their schema
    return f'{_MARK}{VERSION} {{"constraints":{text},{rest[1:]}\n{spec.grammar}'


def has_contract(grammar: str) -> bool:
    """Whether a text is a grammar of ours; looks at its beginning only."""
    return grammar.startswith(_MARK)


def read_contract(grammar: str, bounds: Bounds | None = None) -> Contract:
    """The contract in front of a grammar for which `has_contract` holds.

    Raises:
        UnknownVersionError: the comment is of another version.
        ConstraintError: it is damaged, too large, or its constraints contradict each other.
    """
    bounds = bounds or Bounds()
    if len(grammar) > bounds.characters:
        raise ConstraintError(
            f"the grammar has {len(grammar):,} characters, and this server reads {bounds.characters:,}",
            help="give fewer tools, or raise the server's limit",
        )
    line, _, _ = grammar.partition("\n")
    version, _, text = line.removeprefix(_MARK).partition(" ")
    if version != str(VERSION):
        raise UnknownVersionError(
            f'the contract is of version "{version[:20]}", and {VERSION} is known here',
            help="install the same version of agentic-dsl on both sides",
        )
    contract = _contract(text)
    if contract.constraints.max_nodes > bounds.nodes:
        raise ConstraintError(
            f"max_nodes is {contract.constraints.max_nodes:,}, and this server allows {bounds.nodes:,}",
            help="lower max_nodes, or raise the server's limit",
        )
    return contract


def _contract(text: str) -> Contract:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _damaged("it is not JSON") from exc
    if not isinstance(record, dict) or record.keys() != {"constraints", "max_output_tokens", "semantic"}:
        raise _damaged("it needs constraints, max_output_tokens and semantic")
    limit, semantic = record["max_output_tokens"], record["semantic"]
    if type(semantic) is not bool or not (limit is None or (type(limit) is int and limit > 0)):
        raise _damaged("max_output_tokens is a positive whole number or null, semantic true or false")
    constraints = Constraints.model_validate(record["constraints"])
    return Contract(constraints, limit, semantic)


def _damaged(reason: str) -> ConstraintError:
    return ConstraintError(
        f"the contract in the grammar's first line cannot be read: {reason}", help="send it unchanged"
    )
