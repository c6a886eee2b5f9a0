"""The core standard library: contracts that every executor implements (``language.md`` §8).

They resolve without a library folder. A library that defines the same path takes precedence, and nothing here is
offered to a model unless the caller asks for it.
"""

from __future__ import annotations

from functools import cache

from agentic_dsl.ast import Contract, Document
from agentic_dsl.compiler.library import Library
from agentic_dsl.paths import Path, Version
from agentic_dsl.signature import ANY, FieldType, Parameter, Signature, Stability

_MODES = ("strict", "warn", "ignore")

CONTRACTS: tuple[tuple[str, str | None, str | None], ...] = (
    (
        "/lib/dslgraph/generate",
        "prompt_template: string, signature_validation?: string, on_signature_violation?: string, "
        "on_generation_failure?: string, archive_on_success?: string",
        "generated_paths: array, success: boolean",
    ),
    (
        "/lib/reasoning/generate_text",
        "prompt: string, model: string, seed: integer, temperature?: number, max_tokens?: integer",
        "text: string, kv_handle?: string",
    ),
    (
        "/lib/reasoning/structured_generate",
        "prompt: any, model: any, seed: any, output_schema: object",
        "parsed_output: object",
    ),
    ("/lib/reasoning/try_catch", "try_block: string, catch_block: string", "success: boolean"),
    (
        "/lib/reasoning/hypothesize_and_verify",
        "generator_path: string, verifier_path: string, max_hypotheses?: integer",
        "verified_hypotheses: array, best_hypothesis: object",
    ),
    ("/lib/reasoning/stepwise_assert", None, None),
    ("/lib/reasoning/induce_and_archive", None, None),
    (
        "/lib/reasoning/iper_loop",
        "user_intent: string, planner_path: string, max_reflections?: integer",
        "final_result: object",
    ),
    ("/lib/reasoning/continue_from_kv", None, None),
    ("/lib/reasoning/stream_until", None, None),
    ("/lib/reasoning/fallback_text", None, None),
    ("/lib/reasoning/fallback_structured", None, None),
    ("/lib/reasoning/counterfactual_compare", None, None),
    ("/lib/reasoning/graph_guided_hypothesize", None, None),
    ("/lib/reasoning/speculative_decode", None, None),
    ("/lib/memory/state/set", "key: string, value: any", "success: boolean"),
    ("/lib/memory/state/get_latest", "key: string", "value?: any"),
    ("/lib/memory/kg/query_subgraph", None, None),
    ("/lib/memory/kg/write_subgraph", None, None),
    ("/lib/memory/vector/store", "text: string, metadata?: object", "success: any"),
    ("/lib/memory/vector/recall", "query: string, top_k?: integer", "memories: array"),
    ("/lib/memory/profile/get", None, None),
    ("/lib/memory/profile/update", None, None),
    ("/lib/conversation/start_topic", None, None),
    ("/lib/conversation/switch_role", None, None),
    ("/lib/conversation/meeting", None, None),
    ("/lib/workflow/parallel_map", "items: array, worker_path: string", "results: array"),
    ("/lib/tool/list_available", None, None),
    ("/lib/human/clarify_intent", None, None),
    ("/lib/human/approval", "request: string", "approved: boolean, comment?: string"),
)
"""Path, inputs and outputs; None where the language names the contract without stating it."""

EXPERIMENTAL = frozenset(
    {
        "/lib/reasoning/counterfactual_compare",
        "/lib/reasoning/graph_guided_hypothesize",
        "/lib/reasoning/speculative_decode",
        "/lib/workflow/parallel_map",
    }
)
"""The contracts that may still change."""

_DEFAULTS: dict[tuple[str, str], float | int] = {
    ("/lib/reasoning/generate_text", "temperature"): 0.0,
    ("/lib/reasoning/generate_text", "max_tokens"): 256,
    ("/lib/reasoning/hypothesize_and_verify", "max_hypotheses"): 3,
    ("/lib/reasoning/iper_loop", "max_reflections"): 3,
    ("/lib/memory/vector/recall", "top_k"): 3,
}


@cache
def standard_library() -> Library:
    """The contracts as a library, built once a process."""
    return Library.of([Document(blocks=tuple(_contract(*row) for row in CONTRACTS))])


def is_stated(path: Path) -> bool:
    """Whether the language states the inputs and outputs of a standard contract."""
    return str(path) in _STATED


_STATED = frozenset(path for path, inputs, _ in CONTRACTS if inputs is not None)


def _contract(path: str, inputs: str | None, outputs: str | None) -> Contract:
    return Contract(
        path=Path(tuple(path[1:].split("/"))),
        signature=Signature(_parameters(path, inputs), _parameters(path, outputs)),
        version=Version((1,)),
        stability=Stability.EXPERIMENTAL if path in EXPERIMENTAL else Stability.STABLE,
    )


def _parameters(path: str, text: str | None) -> tuple[Parameter, ...]:
    """Parameters of a row: ``name: type`` or ``name?: type``, between commas."""
    parameters = []
    for item in text.split(", ") if text else ():
        name, _, type_name = item.partition(": ")
        plain = name.removesuffix("?")
        parameters.append(
            Parameter(
                plain,
                ANY if type_name == "any" else FieldType(type_name),
                required=plain == name,
                default=_DEFAULTS.get((path, plain)),
                enum=_MODES if plain == "signature_validation" else (),
            )
        )
    return tuple(parameters)
