"""Which mutation breaks which rule: one table of all families, and the rules that cannot be broken so."""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl.diagnostics import Code
from benchmarks.mutations import of_calls, of_graph, of_limits, of_requests, of_templates, of_text, of_values
from benchmarks.mutations.scene import Mutate

MUTATIONS: Mapping[Code, Mutate] = {
    **of_text.MUTATIONS,
    **of_values.MUTATIONS,
    **of_graph.MUTATIONS,
    **of_calls.MUTATIONS,
    **of_limits.MUTATIONS,
    **of_templates.MUTATIONS,
    **of_requests.MUTATIONS,
}
"""Rule → what breaks it."""

NOT_MUTATED: Mapping[Code, str] = {}
"""Rules that no change of a document can break alone, each with the reason."""
