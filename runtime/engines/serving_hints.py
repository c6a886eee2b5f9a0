"""Hints for serving layers: what a layer accepts of `ServingHints`, as headers and fields of a request.

A hint tells a layer what to keep, where to route and what to run first; it never changes an answer. Nothing is sent
unless a layer is named. What each takes is `HINTS`, one line a header or field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import quote

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest, ServingHints

if TYPE_CHECKING:
    from agentic_dsl.constraints import Constraints

Layer = Literal["none", "vllm", "llm-d", "dynamo"]
"""What stands between us and the model: nothing that takes hints, vLLM's own server, llm-d's router, Dynamo."""

LAYERS: tuple[Layer, ...] = get_args(Layer)

MAX_VALUE = 256
"""The longest value of a header or text field, in characters."""

_DIGEST = 32
_PLAIN = "/:#@!$&'*+,;=()[]"
"""Beside letters, digits and ``_.-~``: what stands in a header as it is."""

Where = Literal["header", "field"]
Value = str | int | None


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing that layers accept.

    Attributes:
        layers: who takes it.
        where: in a header, or in a field of the body.
        name: of the header, or the path to the field, with dots.
        doc: what is sent, for the reference.
        value: of a request; None sends nothing.
    """

    layers: tuple[Layer, ...]
    where: Where
    name: str
    doc: str
    value: Callable[[EngineRequest, ServingHints], Value]


HINTS: tuple[Hint, ...] = (
    Hint(("llm-d",), "header", "x-session-id", "session", lambda _, hints: hints.session),
    Hint(("dynamo",), "header", "X-Dynamo-Session-ID", "session", lambda _, hints: hints.session),
    Hint(
        ("dynamo",),
        "header",
        "X-Dynamo-Parent-Session-ID",
        "parent, beside a session",
        lambda _, hints: hints.parent if hints.session else None,
    ),
    Hint(
        ("dynamo",),
        "header",
        "X-Dynamo-Session-Final",
        "`true` with the last request of a session",
        lambda _, hints: "true" if hints.session and hints.is_final else None,
    ),
    Hint(("vllm",), "field", "session_id", "session", lambda _, hints: hints.session),
    # Dynamo takes higher numbers first.
    Hint(
        ("dynamo",),
        "field",
        "nvext.agent_hints.priority",
        "priority with the sign changed, unless 0",
        lambda asked, _: -asked.priority or None,
    ),
    Hint(("dynamo",), "field", "nvext.agent_hints.osl", "expected tokens", lambda _, hints: hints.expected_tokens),
    Hint(("vllm", "llm-d", "dynamo"), "field", "cache_salt", "cache salt", lambda _, hints: hints.cache_salt or None),
)
"""Everything that is sent.

vLLM's own ``priority`` is not in it: a server without priority scheduling refuses it, so it is no hint, and the engine
that talks to the server sends it where it is told that the server has an order.
"""


def hint_headers(request: EngineRequest, layer: Layer) -> Mapping[str, str]:
    """The headers of a request; values are visible ASCII of at most `MAX_VALUE` characters.

    Raises:
        EngineError: there is no such layer.
    """
    return {hint.name: header_value(str(value)) for hint, value in _given(request, layer, "header")}


def hint_fields(request: EngineRequest, layer: Layer) -> Mapping[str, object]:
    """The fields of a request's body, nested as the layer takes them.

    Raises:
        EngineError: there is no such layer.
    """
    fields: dict[str, object] = {}
    for hint, value in _given(request, layer, "field"):
        *parents, last = hint.name.split(".")
        place = fields
        for name in parents:
            inner = place.setdefault(name, {})
            assert isinstance(inner, dict)  # no name of the table is both a field and a parent
            place = inner
        place[last] = _bounded(value) if isinstance(value, str) else value
    return fields


def header_value(text: str) -> str:
    """A text as a header can hold it: percent-encoded, so that different texts stay different and no line can end."""
    return _bounded(quote(text, safe=_PLAIN, errors="surrogatepass"))


def _bounded(text: str) -> str:
    """The text itself, or its beginning and a digest of the whole where it is too long."""
    if len(text) <= MAX_VALUE:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{text[: MAX_VALUE - _DIGEST - 1]}~{digest}"


def _given(request: EngineRequest, layer: Layer, where: Where) -> list[tuple[Hint, str | int]]:
    if layer not in LAYERS:
        raise EngineError(f'there is no serving layer "{layer}"', help=f"name one of: {', '.join(LAYERS)}")
    hints = request.hints or ServingHints()
    found = ((hint, hint.value(request, hints)) for hint in HINTS if layer in hint.layers and hint.where == where)
    return [(hint, value) for hint, value in found if value is not None]


_TOKENS_OF_HEADING = 32
_TOKENS_OF_NODE = 75
"""Gold plans of real catalogues take 60 to 90 tokens a node, texts included."""


def hints_of(
    session: str, node_path: str, constraints: Constraints | None = None, *, cache_salt: str | None = None
) -> ServingHints:
    """The hints of the request that a ``generate_subgraph`` node of a document makes.

    The node is a session of its own, forked from its document's, whose prompts begin alike; its one request is the
    last. What goes first is not among the hints: see `agentic_dsl.runtime.batching.branches` for priorities.

    Args:
        session: of the document, or of one run of it.
        node_path: full path of the node, such as ``/main/trip/plan``.
        constraints: of the answer; None leaves its length open.
        cache_salt: see `ServingHints`.
    """
    return ServingHints(
        session=f"{session}{node_path}",
        parent=session,
        is_final=True,
        expected_tokens=None if constraints is None else expected_tokens(constraints),
        cache_salt=cache_salt,
    )


def expected_tokens(constraints: Constraints) -> int:
    """About how long an answer of the largest size allowed is, in tokens; never more than its limit."""
    size = constraints.max_subgraphs * _TOKENS_OF_HEADING + constraints.max_nodes * _TOKENS_OF_NODE
    return size if constraints.max_output_tokens is None else min(size, constraints.max_output_tokens)


__all__ = [
    "HINTS",
    "LAYERS",
    "MAX_VALUE",
    "Hint",
    "Layer",
    "expected_tokens",
    "header_value",
    "hint_fields",
    "hint_headers",
    "hints_of",
]
