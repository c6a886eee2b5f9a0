"""Serving hints: what each layer is sent, safe as headers, and what a graph says of its nodes."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt, ServingHints
from agentic_dsl.runtime.engines.serving_hints import (
    HINTS,
    LAYERS,
    MAX_VALUE,
    Layer,
    expected_tokens,
    header_value,
    hint_fields,
    hint_headers,
    hints_of,
)

FULL = ServingHints(session="run-7#/main/a", parent="run-7", is_final=True, expected_tokens=300, cache_salt="tenant")


def request(hints: ServingHints | None = FULL, priority: int = 2) -> EngineRequest:
    return EngineRequest(prompt=Prompt((Message("user", "x"),)), hints=hints, priority=priority)


@pytest.mark.parametrize(
    ("layer", "headers", "fields"),
    [
        ("none", {}, {}),
        ("vllm", {}, {"session_id": "run-7#/main/a", "cache_salt": "tenant"}),
        ("llm-d", {"x-session-id": "run-7#/main/a"}, {"cache_salt": "tenant"}),
        (
            "dynamo",
            {
                "X-Dynamo-Session-ID": "run-7#/main/a",
                "X-Dynamo-Parent-Session-ID": "run-7",
                "X-Dynamo-Session-Final": "true",
            },
            {"nvext": {"agent_hints": {"priority": -2, "osl": 300}}, "cache_salt": "tenant"},
        ),
    ],
)
def test_each_layer_is_sent_what_it_takes(layer: Layer, headers: dict[str, str], fields: dict[str, object]) -> None:
    assert hint_headers(request(), layer) == headers
    assert hint_fields(request(), layer) == fields


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("hints", [None, ServingHints(), ServingHints(cache_salt="")])
def test_a_request_without_hints_is_sent_as_it_is(layer: Layer, hints: ServingHints | None) -> None:
    assert hint_headers(request(hints, priority=0), layer) == {}
    assert hint_fields(request(hints, priority=0), layer) == {}


def test_a_parent_or_an_end_without_a_session_says_nothing() -> None:
    assert hint_headers(request(ServingHints(parent="p", is_final=True)), "dynamo") == {}


def test_a_layer_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(EngineError, match='no serving layer "triton"') as caught:
        hint_headers(request(), "triton")  # type: ignore[arg-type]
    assert caught.value.help == "name one of: none, vllm, llm-d, dynamo"


def test_every_hint_reaches_some_layer_and_every_layer_but_none_takes_some() -> None:
    sent = {field.name for field in dataclasses.fields(ServingHints)}
    for field in sent:
        without = dataclasses.replace(FULL, **{field: False if field == "is_final" else None})
        assert any(
            (hint_headers(request(FULL), layer), hint_fields(request(FULL), layer))
            != (hint_headers(request(without), layer), hint_fields(request(without), layer))
            for layer in LAYERS
        ), field
    assert {layer for hint in HINTS for layer in hint.layers} == set(LAYERS) - {"none"}


# Untrusted values


@given(st.text(st.characters(), max_size=600))
def test_a_header_value_is_short_visible_ascii(text: str) -> None:
    value = header_value(text)
    assert len(value) <= MAX_VALUE
    assert all("!" <= character <= "~" for character in value)
    assert json.loads(json.dumps(value)) == value


@given(st.text(st.characters(), max_size=400), st.text(st.characters(), max_size=400))
def test_different_values_stay_different(one: str, other: str) -> None:
    assert (header_value(one) == header_value(other)) == (one == other)


def test_no_value_can_end_its_header() -> None:
    headers = hint_headers(request(ServingHints(session="a\r\nX-Admin: 1", parent="ü" * 500)), "dynamo")
    assert headers["X-Dynamo-Session-ID"] == "a%0D%0AX-Admin:%201"
    assert len(headers["X-Dynamo-Parent-Session-ID"]) == MAX_VALUE
    assert (
        headers["X-Dynamo-Parent-Session-ID"]
        != hint_headers(request(ServingHints(session="a", parent="ü" * 501)), "dynamo")["X-Dynamo-Parent-Session-ID"]
    )


def test_a_text_field_is_bounded_too() -> None:
    salts = [hint_fields(request(ServingHints(cache_salt="s" * size)), "vllm")["cache_salt"] for size in (5_000, 5_001)]
    assert [len(str(salt)) for salt in salts] == [MAX_VALUE] * 2
    assert salts[0] != salts[1]


# From a graph


def test_a_node_is_a_session_forked_from_its_document_and_ends_with_its_request() -> None:
    assert hints_of("run-7", "/main/trip/plan", Constraints(max_nodes=4), cache_salt="t") == ServingHints(
        session="run-7/main/trip/plan", parent="run-7", is_final=True, expected_tokens=332, cache_salt="t"
    )
    assert hints_of("run-7", "/main/trip/plan").expected_tokens is None


def test_the_expected_length_is_never_above_the_limit() -> None:
    assert expected_tokens(Constraints(max_nodes=10)) == 782
    assert expected_tokens(Constraints(max_nodes=10, max_output_tokens=500)) == 500
