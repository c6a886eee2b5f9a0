"""Completeness on published plans: ``python -m benchmarks.token_by_token [--tokenizer smollm2]``.

Every NESTFUL gold plan and every WorFBench workflow whose conversion is valid goes token by token through the semantic
matcher: each token must be in the filled mask and accepted, and the end token must be allowed at the end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentic_dsl.constraints import Constraints
from agentic_dsl.format import format_subgraph
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.matcher.overlay import Overlay
from agentic_dsl.runtime.matcher.semantic_matcher import SemanticMatcher
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks import nestful, nestful_plans, worfbench, worfbench_graphs
from benchmarks.data import data_folder, read_json
from benchmarks.measure import heading
from benchmarks.nestful_catalogue import normalise_catalogue

DATA_SETS = ("nestful", "worfbench")


@dataclass(frozen=True)
class Case:
    """One valid conversion: what was asked for, and the text."""

    name: str
    constraints: Constraints
    text: str


@dataclass(frozen=True)
class Refusal:
    """Where the matcher does not allow a token of a valid text; ``end`` where that is the end token."""

    case: Case
    before: str
    token: str
    why: str


def cases(data_set: str) -> Iterator[Case]:
    """The valid conversions of a data set, in the order of its files.

    Raises:
        FileNotFoundError: the data is not there.
    """
    if (folder := data_folder(data_set)) is None:
        raise FileNotFoundError(f"no folder {data_set} in the task data; set AGENTIC_DSL_DATA")
    yield from _nestful(folder) if data_set == "nestful" else _worfbench(folder)


def _nestful(folder: Path) -> Iterator[Case]:
    for catalogue in nestful.CATALOGUES:
        tools = normalise_catalogue(read_json(folder / f"{catalogue}-spec.json"))
        for number, record in enumerate(read_json(folder / f"{catalogue}-data.json")):
            plan = nestful_plans.Plan.of(record)
            if nestful.judge(catalogue, number, plan, tools).valid:
                text = format_subgraph(nestful_plans.to_subgraph(plan, tools))
                yield Case(f"{catalogue} {number}", nestful_plans.constraints_of(plan, tools), text)


def _worfbench(folder: Path) -> Iterator[Case]:
    for file in worfbench.FILES:
        for record in read_json(folder / f"{file}.json"):
            workflow = worfbench_graphs.Workflow.of(record)
            if worfbench.judge(file, workflow).valid:
                text = format_subgraph(worfbench_graphs.to_subgraph(workflow))
                yield Case(f"{file} {workflow.name}", worfbench_graphs.constraints_of(workflow), text)


def refusal(case: Case, tokenizer: Tokenizer, overlay: Overlay) -> Refusal | None:
    """The first token that the matcher does not allow, None where it allows the whole text."""
    matcher = SemanticMatcher(case.constraints, tokenizer, overlay=overlay)
    bitmask = allocate_bitmask(1, tokenizer.vocab_size)
    before = ""
    for token_id in (*tokenizer.encode(case.text), tokenizer.eos_token_ids[0]):
        matcher.fill_bitmask(bitmask, 0)
        token = (tokenizer.token_bytes(token_id) or b"<end>").decode(errors="replace")
        if not _has(bitmask, token_id):
            return Refusal(case, before, token, "is not in the mask")
        if not matcher.accept(token_id):
            return Refusal(case, before, token, "is in the mask and not accepted")
        before += token
    return None if matcher.is_terminated() else Refusal(case, before, "", "the end token does not end the answer")


def _has(bitmask: np.ndarray, token_id: int) -> bool:
    return bool(bitmask[0, token_id >> 5] >> (token_id & 31) & 1)


def main() -> int:
    """Prints the counts and every refusal; 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="smollm2")
    tokenizer = load_tokenizer(parser.parse_args().tokenizer)
    print(heading(f"Valid conversions, token by token, {Path(tokenizer.name).name}", "tokenizers"))
    overlay = Overlay(trie_of(tokenizer.vocabulary))
    failed = 0
    for data_set in DATA_SETS:
        found = list(cases(data_set))
        refused = [r for case in found if (r := refusal(case, tokenizer, overlay)) is not None]
        failed += len(refused)
        print(f"{data_set}: {len(found) - len(refused)} of {len(found)} accepted", flush=True)
        for one in refused:
            print(f"  {one.case.name}: {one.token!r} {one.why} after {one.before[-120:]!r}", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
