"""Engines that hold answers to every rule while they are written."""

from __future__ import annotations

import pytest

from agentic_dsl import AgenticLLM, Constraints, Sampling, ToolSpec

pytestmark = pytest.mark.masks

TOOL = ToolSpec(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)


@pytest.mark.parametrize("seed", range(8))
def test_random_logits_can_only_write_valid_subgraphs(seed: int) -> None:
    llm = AgenticLLM("random", semantic=True)
    constraints = Constraints(tools=[TOOL], max_nodes=4, max_output_tokens=1500)
    generation = llm.generate_subgraph("x", constraints=constraints, sampling=Sampling(temperature=1.0, seed=seed))
    assert generation.diagnostics == () or not any(d.is_error for d in generation.diagnostics)
    assert generation.valid
    assert generation.stats.tokens <= 1500
