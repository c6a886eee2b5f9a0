"""A real model's plans for 100 NESTFUL tasks in three modes: ``python -m benchmarks.real_model [--modes …]``.

The modes read the same prompts and answer greedily within the same number of tokens: held to every rule while they
write (``semantic``; ``steps`` is the same without jump-forward), to the grammar alone (``grammar``), to nothing
(``free``; `plan_answers.judge` says how such an answer is read). `plan_tasks` says which tasks, `plan_scores` what the
F1s are. Every batch is appended to the file of ``--results``, so that an interrupted run goes on where it was;
``--table FILE…`` prints the tables of files alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.runtime.engines.base import GREEDY, Engine, EngineRequest
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.jobs import engine_request
from benchmarks.plan_answers import Answer, answer_of, append, load, tables
from benchmarks.plan_tasks import PlanTask, first_tasks


@dataclass(frozen=True)
class Mode:
    """How answers are constrained.

    Attributes:
        title: for the table.
        options: of the engine.
        free: whether requests go without their constraints.
    """

    title: str
    options: Mapping[str, Any] = field(default_factory=dict)
    free: bool = False


MODES = {
    "semantic": Mode("semantic matcher", {"semantic": True, "jump_forward": True}),
    "steps": Mode("the same, a pass a token", {"semantic": True, "jump_forward": False}),
    "grammar": Mode("grammar alone", {"semantic": False, "jump_forward": False}),
    "free": Mode("prompted, no constraint", {"semantic": False, "jump_forward": False}, free=True),
}
"""Lines of a file know their mode by its name: other options need another name."""

DEFAULT_MODES = ("semantic", "grammar", "free")

SEED = 0
"""Greedy answers do not depend on it; it is in the file all the same."""


def request_of(task: PlanTask) -> EngineRequest:
    """What the engine is asked for a task, constraints included."""
    return engine_request(task.text, compile(task.constraints), replace(GREEDY, seed=SEED))


def inputs_of(tasks: Sequence[PlanTask], model: str, dtype: str, batch: int) -> dict[str, Any]:
    """What answers depend on beside mode and task; prompts and constraints of all tasks as one digest."""
    digest = hashlib.sha256()
    for task in tasks:
        messages = [dict(message.record()) for message in request_of(task).prompt.messages]
        digest.update(json.dumps([task.name, task.constraints.digest, messages]).encode())
    settings = {"model": model, "dtype": dtype, "batch": batch, "seed": SEED, "requests": digest.hexdigest()[:12]}
    return settings | {name: importlib.metadata.version(name) for name in ("torch", "transformers", "xgrammar")}


def batches(tasks: Sequence[PlanTask], size: int) -> Iterator[list[PlanTask]]:
    """Tasks of one catalogue and node count together: their prompts begin alike, and that part is read once."""
    ordered = sorted(tasks, key=lambda task: (task.name.split("/")[0], task.constraints.max_nodes))
    return (ordered[at : at + size] for at in range(0, len(ordered), size))


def answers_of(
    engine: Engine, mode: str, batch: Sequence[PlanTask], inputs: dict[str, Any], on_tokens: Callable[[int], None]
) -> list[Answer]:
    """The answers to one batch.

    Args:
        engine: with the options of the mode.
        mode: a name of `MODES`.
        batch: the tasks.
        inputs: what `inputs_of` gave.
        on_tokens: called with the number of tokens that a row has so far.
    """
    requests = [request_of(task) for task in batch]
    if MODES[mode].free:
        requests = [replace(request, spec=None) for request in requests]
    started = time.perf_counter()
    results = engine.generate(requests, on_token=lambda _row, tokens, _text: on_tokens(tokens))
    # Rows of a batch run together: each has an equal share of its time.
    seconds = (time.perf_counter() - started) / len(batch)
    return [answer_of(task, mode, result, inputs, seconds) for task, result in zip(batch, results, strict=True)]


def measure(options: argparse.Namespace) -> list[Answer]:
    """Asks for every answer that the file does not hold yet; gives all answers of these inputs.

    The modes take turns batch by batch, so that they are measured side by side and an interrupted run has some of each.
    """
    everything = first_tasks()
    inputs = inputs_of(everything, options.model, options.dtype, options.batch)
    wanted = {(mode, task.name) for mode in options.modes for task in everything[: options.limit]}

    def kept() -> dict[tuple[str, str], Answer]:
        mine = (answer for answer in load([options.results]) if answer.inputs == inputs)
        return {key: answer for answer in mine if (key := (answer.mode, answer.task)) in wanted}

    # Where the engine failed it is asked again: that says nothing about the model.
    done = {key for key, answer in kept().items() if answer.finish != "error"}
    missing = {mode for mode, _ in wanted - done}
    engines = {mode: engine_of(options, mode) for mode in options.modes if mode in missing}
    with Progress(*_COLUMNS, console=Console(stderr=True)) as progress:
        bars = {mode: progress.add_task(MODES[mode].title, total=len(wanted) // len(options.modes)) for mode in engines}
        for batch in batches(everything[: options.limit], options.batch):
            for mode, engine in engines.items():
                if tasks := [task for task in batch if (mode, task.name) not in done]:
                    show = partial(_show, progress, bars[mode])
                    append(options.results, answers_of(engine, mode, tasks, inputs, show))
                progress.update(bars[mode], advance=len(batch), description=MODES[mode].title)
    return list(kept().values())


def engine_of(options: argparse.Namespace, mode: str) -> Engine:
    """An engine of its own for a mode."""
    model, size = options.model, options.batch
    return AgenticLLM("transformers", model, dtype=options.dtype, max_batch_size=size, **MODES[mode].options).engine


_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


def _show(progress: Progress, bar: TaskID, tokens: int) -> None:
    progress.update(bar, description=f"token {tokens}")


def main() -> int:
    """Runs what is missing and prints the tables; 1 where an answer of the semantic mode is not valid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=DEFAULT_MODES)
    parser.add_argument("--limit", type=int, help="only the first so many tasks")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--dtype", default="float32", help="float32: answers do not depend on their batch")
    parser.add_argument("--results", type=Path, default=Path("build/real_model.jsonl"))
    parser.add_argument("--table", type=Path, nargs="+", metavar="FILE", help="print the tables of files, run nothing")
    options = parser.parse_args()
    answers = load(options.table) if options.table else measure(options)
    print("\n\n".join(tables(answers, {name: mode.title for name, mode in MODES.items()})))
    return int(any(answer.reason for answer in answers if answer.mode == "semantic"))


if __name__ == "__main__":
    sys.exit(main())
