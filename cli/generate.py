"""``agentic-dsl generate``: a subgraph for a task."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli.compile import compiled_record, report_lines, report_records
from agentic_dsl.cli.engine_options import EngineOptions
from agentic_dsl.cli.inputs import STDIN, read_text
from agentic_dsl.cli.option_groups import takes
from agentic_dsl.cli.options import (
    ConstraintOptions,
    FormatOption,
    OutOption,
    QuietOption,
    output_of,
)
from agentic_dsl.cli.output import FINDINGS, Output, is_terminal, plural
from agentic_dsl.cli.settings import Settings
from agentic_dsl.errors import UsageError
from agentic_dsl.span import Source

if TYPE_CHECKING:
    from agentic_dsl.compiler.pipeline import CompiledSpec
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.node_table import AnyNode
    from agentic_dsl.runtime.answers import Generation
    from agentic_dsl.runtime.engines.base import Sampling
    from agentic_dsl.runtime.generation import AgenticLLM
    from agentic_dsl.runtime.task_skills import TaskSkills


@dataclass(frozen=True, slots=True)
class _Request:
    """What one command line asks of a model.

    Attributes:
        task: in words.
        constraints: its contract.
        llm: opens the model, which takes seconds.
        loads: what it is called, for people.
        sampling: how tokens are chosen.
        count: how many answers.
    """

    task: str
    constraints: Constraints
    llm: Callable[[], AbstractContextManager[AgenticLLM]]
    loads: str
    sampling: Sampling
    count: int


@takes(constraints=ConstraintOptions, engine=EngineOptions)
def generate(
    constraints: ConstraintOptions,
    engine: EngineOptions,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The task in words, or - for stdin.")],
    n: Annotated[int, typer.Option("--n", metavar="N", min=1, max=1000, help="How many answers.")] = 1,
    stream: Annotated[bool, typer.Option("--stream", help="Show each node as soon as it is proven.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print prompt and grammar; run no model.")] = False,
    output: OutOption = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Let a model write a subgraph.

    Exit code 0: every answer is valid. 1: one is not, and the findings are on stderr. 2: no answer.
    """
    if stream and n > 1:
        raise UsageError(f"--stream shows one answer, and --n asks for {n}", help="leave out one of the two")
    settings = Settings.load()
    out = output_of(settings, format, quiet)
    task = _task(prompt, constraints)
    wanted = constraints.to_constraints(settings, out)
    if dry_run:
        _dry_run(task, wanted, engine.task_skills(settings, out), out, output)
        return
    config = engine.to_config(settings)
    loads = str(config.options.get("model", config.backend))
    request = _Request(task, wanted, partial(engine.opened, settings, out), loads, engine.sampling(settings, n), n)
    generations = [_streamed(request, out)] if stream else _answers(request, out)
    _print(generations, out, output, stream=stream)
    if not all(generation.valid for generation in generations):
        raise typer.Exit(FINDINGS)


def _print(generations: Sequence[Generation], out: Output, target: str | None, *, stream: bool) -> None:
    """The answers where they go, and what is to be said about each."""
    if out.json:
        records = [generation_record(generation) for generation in generations]
        record = records[0] if len(records) == 1 else {"generations": records}
        # A stream is one object a line.
        out.save(target, json.dumps(record, ensure_ascii=False, indent=None if stream else 2) + "\n")
        return
    for generation in generations:
        _conclude(generation, out, target or "answer")
    # An answer that was cut may end inside a line.
    out.save(target, "\n".join(_shown(generation, target).removesuffix("\n") + "\n" for generation in generations))


def _shown(generation: Generation, target: str | None) -> str:
    """The text of an answer. A subgraph holds no control characters; plain text may, and steers no terminal."""
    if generation.kind == "subgraph" or target not in (None, "-") or not is_terminal(sys.stdout):
        return generation.text
    return "\n".join(map(findings.printable, generation.text.split("\n")))


def _task(prompt: str, constraints: ConstraintOptions) -> str:
    if prompt == STDIN:
        constraints.leave_stdin_to("PROMPT")
    task = read_text(STDIN, "the task") if prompt == STDIN else prompt
    if not task.strip():
        raise UsageError("the task is empty", help="say in words what the subgraph must do")
    return task.strip()


def _dry_run(task: str, constraints: Constraints, skills: TaskSkills | None, out: Output, target: str | None) -> None:
    from agentic_dsl.compiler.pipeline import compile as compile_spec
    from agentic_dsl.runtime.jobs import Task
    from agentic_dsl.runtime.prompt import build_prompt

    (asked,) = [Task(task, constraints)] if skills is None else skills.equipped([Task(task, constraints)])
    compiled: CompiledSpec = compile_spec(asked.constraints, dialect="xgrammar")
    prompt = build_prompt(task, asked.constraints, asked.skills or ())
    if out.json:
        messages = [dict(message.record()) for message in prompt.messages]
        record = {"prompt": messages} | compiled_record(compiled)
        out.save(target, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        return
    out.notes(report_lines(compiled.report))
    turns = [f"--- prompt: {message.role}\n{message.content.rstrip()}\n" for message in prompt.messages]
    out.save(target, "\n".join([*turns, f"--- grammar: {compiled.dialect}\n{compiled.grammar}"]))


def _answers(request: _Request, out: Output) -> list[Generation]:
    """Asks the engine; the first failure of a request is the failure of the command."""
    with _progress(out, request) as on_token, request.llm() as llm:
        generations = llm.batch_generate_subgraphs(
            [request.task] * request.count,
            constraints=request.constraints,
            sampling=request.sampling,
            on_token=on_token,
        )
    for generation in generations:
        if generation.error is not None:
            raise generation.error
    return generations


def _streamed(request: _Request, out: Output) -> Generation:
    """Asks the engine for one answer and shows its nodes as they come."""
    from agentic_dsl.cli.growing import growing_graph

    counted = 0

    def count(_row: int, tokens: int, _text: str) -> None:
        nonlocal counted
        counted = tokens

    nodes: tuple[AnyNode, ...] = ()
    with request.llm() as llm:
        stream = llm.stream_subgraph(
            request.task, constraints=request.constraints, sampling=request.sampling, on_token=count
        )
        with growing_graph(out, request.constraints.block_path) as grow, stream:
            for node in stream:
                nodes = (*nodes, node)
                grow(nodes, counted)
    return stream.generation


@contextmanager
def _progress(out: Output, request: _Request) -> Iterator[Callable[[int, int, str], None] | None]:
    """Counts tokens while they come, where somebody looks; gives what the engine calls after each."""
    if not out.shows_progress:
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    counts: dict[int, int] = {}
    console = Console(stderr=True)
    # As `Text`: what a person or a model wrote is no markup.
    with console.status(Text(f"loading {request.loads}")) as status:
        started: list[float] = []

        def count(row: int, tokens: int, text: str) -> None:
            started.append(time.monotonic()) if not started else None
            counts[row] = tokens
            seconds = time.monotonic() - started[0]
            speed = f", {sum(counts.values()) / seconds:.0f} a second" if seconds > 0.5 else ""
            last = text.rstrip().rpartition("\n")[2].strip()
            width = max(console.width - 50, 0)
            line = findings.printable(last)[:width]
            status.update(Text.assemble(f"{plural(sum(counts.values()), 'token')}{speed}  ", (line, "dim")))

        yield count


def _conclude(generation: Generation, out: Output, name: str) -> None:
    """The findings of one answer and what it cost, for people, who know it by a name."""
    if generation.document is not None:
        source = Source(generation.document.source.text, name)
        out.lines(findings.show(generation.diagnostics, source), stream=sys.stderr)
    stats = generation.stats
    nodes = plural(len(generation.subgraph.nodes) if generation.subgraph else 0, "node")
    what = "plain text" if generation.kind == "text" else nodes
    speed = f" ({stats.tokens / stats.seconds:.0f} a second)" if stats.seconds > 0 else ""
    state = "valid" if generation.valid else "invalid"
    cost = "from the cache" if generation.cached else f"{plural(stats.tokens, 'token')} in {stats.seconds:.1f} s{speed}"
    skilled = f", with {', '.join(sorted(generation.skills))}" if generation.skills else ""
    out.note(f"{state}: {what}, {cost}{skilled}")


def generation_record(generation: Generation) -> dict[str, Any]:
    """A generation as ``--format json`` prints it."""
    from dataclasses import asdict

    from agentic_dsl.json_view import subgraph_view

    source = generation.document.source if generation.document is not None else Source("")
    return {
        "valid": generation.valid,
        "kind": generation.kind,
        "text": generation.text,
        "subgraph": subgraph_view(generation.subgraph) if generation.subgraph is not None else None,
        "diagnostics": [finding.record(source) for finding in generation.diagnostics],
        "report": report_records(generation.report),
        "stats": asdict(generation.stats),
        "token_ids": list(generation.token_ids),
        "cached": generation.cached,
        "skills": sorted(generation.skills),
    }
