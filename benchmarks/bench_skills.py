"""Skills with and without reuse: ``python -m benchmarks.bench_skills [--requests N] [--model M]``.

Requests with questions of about 100 tokens behind some 4,000 tokens of skills, greedy, one at a time, in one run:

- *without*: an engine that keeps nothing reads every prompt; *at once*: the same in a single pass, as a cross-check.
- *reuse*: an engine whose cache was prefilled with the skills.
- *disk*: a new process that finds in files what the first one has saved; each request there is the first of its skills.

The time to the first token counts from the call: tokenising, look-up and copying of what is reused are in it.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

from agentic_dsl.compiler.pipeline import compile as compile_spec
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt
from agentic_dsl.runtime.engines.forced_text import common_prefix
from agentic_dsl.runtime.engines.transformers import TransformersEngine
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.prefill import prefill_all
from agentic_dsl.runtime.prompt_tokens import prompt_tokens
from agentic_dsl.skills.folders import library_folder
from agentic_dsl.skills.registry import SkillRegistry
from benchmarks.measure import heading, markdown_table

SETS = (
    ("writing-agenticdsl", "planning-with-tools", "fork-and-join"),
    ("writing-agenticdsl", "debugging-rejected-subgraphs", "data-flow-and-templates"),
)
"""Skills that are used together; each set takes about 4,000 tokens."""

CONTRACT = Constraints(allowed_node_types=("assign", "end"), max_nodes=1)
SEED = 7
_TEXT = "plan a trip, find flights and a hotel near the centre, compare their prices by day, write a short note"
_WORDS = _TEXT.replace(",", "").split()


@dataclass(frozen=True, slots=True)
class Measured:
    """One request.

    Attributes:
        first: seconds to the first token.
        prompt: tokens of the prompt.
        cached: tokens of it that were not read.
        answer: the ids of the answer.
    """

    first: float
    prompt: int
    cached: int
    answer: tuple[int, ...]


def requests(registry: SkillRegistry, count: int) -> list[EngineRequest]:
    """Requests in a fixed random order, each with one of the sets and a question of its own."""
    rng = random.Random(SEED)
    spec = compile_spec(CONTRACT)
    made = []
    for number in range(count):
        skills = [skill for name in rng.choice(SETS) if (skill := registry.get(name)) is not None]
        question = " ".join([f"Number {number}:", *rng.choices(_WORDS, k=90)])
        made.append(engine_request(question, spec, skills=skills))
    return made


def ask(engine: TransformersEngine, request: EngineRequest) -> Measured:
    """One request, alone."""
    first: list[float] = []
    started = time.perf_counter()
    (result,) = engine.generate([request], on_token=lambda *_: first or first.append(time.perf_counter() - started))
    if result.error is not None:
        raise result.error
    return Measured(first[0], result.stats.prompt_tokens, result.stats.cached_tokens, result.token_ids)


def minimum(engine: TransformersEngine, asked: Sequence[EngineRequest]) -> int:
    """The fewest tokens that can be read: what prompts begin with once, and of each what no earlier one began with."""
    known: dict[tuple[int, ...], None] = {}
    computed = 0
    for request in asked:
        ids = prompt_tokens(request.prompt, engine.tokenizer).ids
        shared = max((common_prefix(ids, other) for other in known), default=0)
        computed += len(ids) - min(shared, len(ids) - 1)
        known[ids] = None
    return computed


def first_of_each(asked: Sequence[EngineRequest]) -> list[EngineRequest]:
    """The first request of each set of skills."""
    found: dict[str, EngineRequest] = {}
    for request in asked:
        found.setdefault(request.prompt.messages[0].content, request)
    return list(found.values())


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--disk", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    registry = SkillRegistry.load([library_folder()])
    asked = requests(registry, options.requests)
    if options.disk is not None:
        _from_disk(options.model, options.disk, first_of_each(asked))
        return
    print(heading("Skills, with and without reuse", "torch", "transformers", "safetensors"))
    with tempfile.TemporaryDirectory() as folder:
        _compare(options.model, asked, Path(folder))


def _compare(model: str | None, asked: Sequence[EngineRequest], folder: Path) -> None:
    plain = TransformersEngine(model, prefix_cache_bytes=0, prefix_folder=folder / "none", jump_forward=False)
    ask(plain, asked[0])  # masks and tables
    engine = TransformersEngine(model, prefix_folder=folder, jump_forward=False)
    done = prefill_all(engine, [request.prompt for request in first_of_each(asked)], save=True)
    prefilled = sum(one.tokens - one.reused for one in done)
    ask(engine, asked[0])
    without: list[Measured] = []
    reuse: list[Measured] = []
    for request in _shown(asked):
        without.append(ask(plain, request))
        reuse.append(ask(engine, request))
        pair = without[-1], reuse[-1]
        print(f"{len(reuse)}: {pair[0].first:.2f} s, {pair[1].first:.3f} s", file=sys.stderr, flush=True)
    at_once = [ask(plain, _in_one_turn(request)) for request in first_of_each(asked)]
    disk = [_in_new_process(model, folder, len(asked)) for _ in range(3)]
    loaded = [one for run in disk for one in run]
    print(table({"without": without, "without, at once": at_once, "reuse": reuse, "disk, new processes": loaded}))
    least = minimum(plain, asked)
    computed = prefilled + sum(one.prompt - one.cached for one in reuse)
    print(f"\ntokens read with reuse: {computed:,}, at least {least:,} are needed: {computed / least:.3f} ×")
    print(f"without: {sum(one.prompt for one in without):,}")
    same = sum(one.answer == other.answer for one, other in zip(without, reuse, strict=True))
    firsts = {request.prompt: one.answer for request, one in zip(asked, without, strict=True)}
    expected = [firsts[request.prompt] for request in first_of_each(asked)]
    from_disk = sum(one.answer == known for run in disk for one, known in zip(run, expected, strict=True))
    print(f"answers equal to those without reuse: {same} of {len(reuse)}")
    print(f"and those of the new processes: {from_disk} of {len(expected) * len(disk)}")


def _in_one_turn(request: EngineRequest) -> EngineRequest:
    """The same text as one segment, which is read in a single pass."""
    return replace(request, prompt=Prompt((Message("user", request.prompt.text),)))


def table(ways: Mapping[str, Sequence[Measured]]) -> str:
    """A row for each way of reading prompts; the first is what the others are compared with."""
    base = statistics.median(one.first for one in next(iter(ways.values())))
    rows = []
    for name, measured in ways.items():
        times = sorted(one.first for one in measured)
        middle = statistics.median(times)
        spread = f"{times[0]:.3f}–{times[-1]:.3f}"
        tokens = statistics.median(one.prompt for one in measured)
        rows.append((name, str(len(times)), f"{tokens:,.0f}", f"{middle:.3f}", spread, f"{base / middle:.1f} ×"))
    return markdown_table(("prompts", "requests", "tokens", "first token, s", "spread", "sooner"), rows)


def _in_new_process(model: str | None, folder: Path, count: int) -> list[Measured]:
    command = [sys.executable, "-m", "benchmarks.bench_skills", "--disk", str(folder), "--requests", str(count)]
    command += ["--model", model] if model else []
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [
        Measured(**{**json.loads(line), "answer": tuple(json.loads(line)["answer"])}) for line in output.splitlines()
    ]


def _from_disk(model: str | None, folder: Path, asked: Iterable[EngineRequest]) -> None:
    engine = TransformersEngine(model, prefix_folder=folder, jump_forward=False)
    # Masks and tables, with a prompt that begins otherwise.
    ask(engine, engine_request("Hello.", compile_spec(CONTRACT)))
    for request in asked:
        print(json.dumps(asdict(ask(engine, request))))


def _shown(asked: Sequence[EngineRequest]) -> Iterable[EngineRequest]:
    """Progress on standard error, where that is a terminal."""
    return track(asked, "requests", console=Console(stderr=True), disable=not sys.stderr.isatty())


if __name__ == "__main__":
    main()
