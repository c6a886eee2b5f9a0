"""Contracts small enough for a CPU, and what a valid answer is, for the tests with real vLLM."""

from __future__ import annotations

from agentic_dsl import Constraints, ContextSignature, Sampling, ToolSpec

SEARCH = ToolSpec(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
_SMALL = {"max_text_chars": 20, "max_identifier_chars": 6, "max_output_tokens": 220}

EIGHT = (
    Constraints(max_nodes=1, allowed_node_types=("end",), **_SMALL),
    Constraints(max_nodes=2, allowed_node_types=("assign", "end"), **_SMALL),
    Constraints(max_nodes=3, allowed_node_types=("assign", "end"), min_nodes=2, **_SMALL),
    Constraints(max_nodes=3, allowed_node_types=("assert", "end"), **_SMALL),
    Constraints(max_nodes=2, tools=(SEARCH,), allowed_node_types=("tool_call", "end"), **_SMALL),
    Constraints(max_nodes=2, path="/dynamic/other", allowed_node_types=("assign", "end"), **_SMALL),
    Constraints(max_nodes=2, path="/lib/made/here", allowed_node_types=("assign", "end"), **_SMALL),
    Constraints(
        max_nodes=3, allowed_node_types=("assign", "end"), context=ContextSignature(required_outputs=("x",)), **_SMALL
    ),
)

GRAPH = Constraints(
    max_nodes=5,
    min_nodes=3,
    allowed_node_types=("assign", "assert", "fork", "join", "end"),
    context=ContextSignature(available_vars={"city": "string"}, required_outputs=("answer",)),
    max_text_chars=20,
    max_identifier_chars=6,
    max_output_tokens=320,
)
"""A grammar holds the layout of this; that nodes exist, are reached and write the answer is left to the matcher."""

WILD = Sampling(temperature=1.5, seed=1)
"""Hot enough that a grammar alone does not give valid documents."""

OPTIONS = {"max_model_len": 3072, "max_num_seqs": 16}
