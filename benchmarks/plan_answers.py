"""Answers of a model to plan tasks: judged, kept as JSON lines, and counted in tables.

A line holds the answer, its cost, the verdict, and the inputs that it was made from; lines of other inputs are never
mixed, and of two lines for the same task and mode the later one counts.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agentic_dsl.ast import Subgraph
from agentic_dsl.codes import INCOMPLETE
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.blocks import read_structure
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.engines.base import EngineResult
from agentic_dsl.runtime.reparse import reparse
from benchmarks.plan_scores import Counts, PlanScores, score
from benchmarks.plan_tasks import PlanTask

_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t][^\r\n]*AgenticDSL", re.MULTILINE)
NO_PLAN = "no block that can be read"
CUT = "cut at the token limit"


@dataclass(frozen=True)
class Answer:
    """One line of the file.

    Attributes:
        inputs: what the answer depends on beside the mode (see `real_model.MODES`) and the task (`PlanTask.name`).
        finish: why it ended, as `EngineResult` has it, like `tokens` and `forward_passes`.
        reason: why it is not valid, empty where it is. `scores` count what can be read all the same.
        seconds: its share of its batch's wall time: masks compiled, prompts read, answers written.
    """

    inputs: dict[str, Any]
    mode: str
    task: str
    text: str
    finish: str
    reason: str
    scores: PlanScores
    tokens: int
    prompt_tokens: int
    forward_passes: int
    seconds: float

    @classmethod
    def of_line(cls, line: str) -> Answer:
        """The answer of a line that `append` wrote."""
        record = json.loads(line)
        scores = PlanScores(**{name: Counts(**counts) for name, counts in record["scores"].items()})
        return cls(**record | {"scores": scores})


def judge(result: EngineResult, constraints: Constraints, *, free: bool) -> tuple[Subgraph | None, str]:
    """The plan of an answer, as far as it can be read, and why the answer is not valid (empty where it is).

    Args:
        result: the answer.
        constraints: what it was asked to be.
        free: whether nothing constrained the model. Then its first AgenticDSL block is the answer: text and code fences
            around it are allowed, and so is every spelling that the parser accepts. The checks are the same.
    """
    if result.error is not None:
        return None, f"no answer: {result.error.message}"
    if free:
        text, closed = first_block(result.text)
        document = parse(text)
        plan, findings = next(document.subgraphs, None), tuple(check(document, constraints=constraints))
        if plan is not None and not closed and result.finish == "length":
            return plan, CUT
    else:
        answer = reparse(result.text, constraints, complete=result.finish == "stop")
        plan, findings = answer.subgraph, answer.diagnostics
    if plan is None:
        return None, NO_PLAN
    first = next((finding for finding in findings if finding.is_error), None)
    if first is None:
        return plan, ""
    return plan, CUT if first.kind is INCOMPLETE else f"{first.code} {first.kind.name}"


def first_block(text: str) -> tuple[str, bool]:
    """The text of the first block in a free text, and whether its fence is closed; nothing where there is none.

    Every heading that names the language is tried as a beginning, because a code fence around a block hides it.
    """
    for heading in _HEADING.finditer(text):
        rest = text[heading.start() :].lstrip(" \t")
        block = next(iter(read_structure(rest).blocks), None)
        if block is not None and block.span.start == 0:
            return rest[: block.span.end], block.closed
    return "", True


def answer_of(task: PlanTask, mode: str, result: EngineResult, inputs: dict[str, Any], seconds: float) -> Answer:
    """The judged answer to one task."""
    plan, reason = judge(result, task.constraints, free=mode == "free")
    return Answer(
        inputs=inputs,
        mode=mode,
        task=task.name,
        text=result.text,
        finish=result.finish,
        reason=reason,
        scores=score(task.gold, plan),
        tokens=result.stats.tokens,
        prompt_tokens=result.stats.prompt_tokens,
        forward_passes=result.stats.forward_passes,
        seconds=seconds,
    )


def append(path: Path, answers: Iterable[Answer]) -> None:
    """Adds lines to a file, which is made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        # An interruption may have cut the last line; what is added must not go on in it.
        cut = file.tell() > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        lines = [json.dumps(asdict(answer), ensure_ascii=False) + "\n" for answer in answers]
        file.write(("\n" * cut + "".join(lines)).encode())


def load(paths: Iterable[Path]) -> list[Answer]:
    """The answers of files, the last one for each inputs, mode and task; a line cut by an interruption is skipped."""
    kept: dict[tuple[str, str, str], Answer] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            try:
                answer = Answer.of_line(line)
            except (ValueError, TypeError, KeyError):
                continue
            kept[json.dumps(answer.inputs, sort_keys=True), answer.mode, answer.task] = answer
    return list(kept.values())


def tables(answers: Sequence[Answer], titles: dict[str, str]) -> Iterator[str]:
    """For each set of inputs: what it is, the table of the modes, and why answers are not valid; Markdown."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(json.dumps(answer.inputs, sort_keys=True), []).append(answer)
    for inputs, group in groups.items():
        yield " · ".join(f"{name} {value}" for name, value in json.loads(inputs).items())
        modes = {mode: mine for mode in titles if (mine := [answer for answer in group if answer.mode == mode])}
        yield _table({titles[mode]: mine for mode, mine in modes.items()})
        reasons = [
            f"| {titles[mode]} | {reason} | {count} |"
            for mode, mine in modes.items()
            for reason, count in Counter(answer.reason for answer in mine if answer.reason).most_common()
        ]
        if reasons:
            yield "\n".join(["| mode | why not valid: the first finding | answers |", "|---|---|---|", *reasons])


def _table(modes: dict[str, list[Answer]]) -> str:
    lines = [
        "| mode | valid | tokens | tokens/s | forward passes | node F1 | tool F1 | argument F1"
        " | the same, invalid answers as empty plans |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for title, mine in modes.items():
        tokens, passes = sum(a.tokens for a in mine), sum(a.forward_passes for a in mine)
        rate = _ratio(tokens, sum(a.seconds for a in mine), ".1f")
        empty = (replace(a, scores=_emptied(a.scores)) if a.reason else a for a in mine)
        lines.append(
            f"| {title} | {sum(not a.reason for a in mine)} of {len(mine)} | {tokens:,} | {rate}"
            f" | {passes:,} ({_ratio(passes, tokens, '.0%')})"
            f" | {' | '.join(_f1(mine))} | {' · '.join(_f1(empty))} |"
        )
    return "\n".join(lines)


def _ratio(part: float, whole: float, form: str) -> str:
    return format(part / whole, form) if whole else "—"


def _emptied(scores: PlanScores) -> PlanScores:
    return PlanScores(Counts(gold=scores.node.gold), Counts(gold=scores.tool.gold), Counts(gold=scores.argument.gold))


def _f1(answers: Iterable[Answer]) -> tuple[str, ...]:
    total = sum((answer.scores for answer in answers), PlanScores())
    return tuple(f"{counts.f1:.3f}" for counts in (total.node, total.tool, total.argument))
