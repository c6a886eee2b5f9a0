"""``agentic-dsl explain``: why a text or a saved token trace is not a valid answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_dsl.cli import findings
from agentic_dsl.cli import settings as names
from agentic_dsl.cli.constraint_origins import ConstraintOrigin, origin_of
from agentic_dsl.cli.inputs import STDIN, read_bytes
from agentic_dsl.cli.option_groups import takes
from agentic_dsl.cli.options import ConstraintOptions, FormatOption, QuietOption, output_of
from agentic_dsl.cli.output import FINDINGS, Styled
from agentic_dsl.cli.settings import DEFAULT_MODEL, Settings
from agentic_dsl.cli.traces import read_traces
from agentic_dsl.codes import INCOMPLETE
from agentic_dsl.errors import UsageError
from agentic_dsl.span import MAX_BYTES, Source, Span

if TYPE_CHECKING:
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.runtime.matcher.explain import Explanation
    from agentic_dsl.runtime.matcher.explain_layout import Formatted

_MOST_MISSING = 6
"""How many lines are shown of what an incomplete text lacks."""


@dataclass(frozen=True, slots=True)
class _Finding:
    """One text with what was found."""

    source: Source
    explanation: Explanation | None
    origins: tuple[ConstraintOrigin, ...]
    formatted: Formatted | None


@takes(constraints=ConstraintOptions)
def explain(
    constraints: ConstraintOptions,
    file: Annotated[str | None, typer.Argument(metavar="FILE", help="Text of an answer, or - for stdin.")] = None,
    trace: Annotated[
        str | None,
        typer.Option("--trace", metavar="T", help="Tokens of an answer: JSON with token_ids, as generate prints it."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option("--tokenizer", metavar="T", help="Tokenizer of the trace; else the trace says, else smollm2."),
    ] = None,
    format: FormatOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say why a text is not a valid answer.

    The first place that the constraints or the language forbid, what was expected there, the rule and the line of the
    spec that forbid it, and what may stand there instead.

    Exit code 0: the text is complete and allowed. 1: it is not. 2: a file cannot be read.
    """
    settings = Settings.load()
    output = output_of(settings, format, quiet)
    if (file is None) == (trace is None):
        raise UsageError("explain needs one of FILE and --trace", help="name the text, or the tokens, of an answer")
    constraints.leave_stdin_to(*(name for name in ("FILE" if file == STDIN else "", _stdin(trace)) if name))
    wanted = constraints.to_constraints(settings, output)
    pairs = _of_text(file, wanted) if file is not None else _of_traces(trace or "", tokenizer, wanted, settings)
    found = [_finding(source, explanation, wanted, constraints, settings) for source, explanation in pairs]
    if output.json:
        records = [_record(finding) for finding in found]
        output.record(records[0] if len(records) == 1 else {"traces": records})
    else:
        for finding in found:
            output.lines(_lines(finding))
            if finding.explanation is None:
                output.note(f"{finding.source.path}: complete and allowed")
    if any(finding.explanation is not None for finding in found):
        raise typer.Exit(FINDINGS)


def _stdin(trace: str | None) -> str:
    return "--trace" if trace == STDIN else ""


def _of_text(name: str, constraints: Constraints) -> list[tuple[Source, Explanation | None]]:
    from agentic_dsl.runtime.matcher.explain import explain as explain_text
    from agentic_dsl.runtime.matcher.headers import start
    from agentic_dsl.runtime.matcher.plan import Plan

    raw = read_bytes(name, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{name} is larger than {MAX_BYTES >> 20} MiB", help="name the text of one answer")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise UsageError(
            f"{name} is not UTF-8: byte {exc.start + 1} is 0x{raw[exc.start]:02x}", help="save it as UTF-8"
        ) from exc
    frame = start(Plan.of(constraints))
    return [(Source(text, name), explain_text(frame, text, before=b"", whole=True))]


def _of_traces(
    name: str, tokenizer: str | None, constraints: Constraints, settings: Settings
) -> list[tuple[Source, Explanation | None]]:
    from agentic_dsl.runtime.matcher.explain_trace import explain_trace, text_of_trace
    from agentic_dsl.runtime.matcher.plan import Plan
    from agentic_dsl.runtime.tokenizer import load_tokenizer

    traces = read_traces(name)
    plan = Plan.of(constraints)
    configured = settings.value(names.TOKENIZER) or settings.value(names.MODEL) or DEFAULT_MODEL
    found = []
    for number, trace in enumerate(traces, 1):
        chosen = load_tokenizer(tokenizer or trace.tokenizer or configured)
        explanation = explain_trace(plan, chosen, trace.token_ids)
        text = text_of_trace(chosen, trace.token_ids).decode("utf-8", "replace")
        found.append((Source(text, name if len(traces) == 1 else f"{name}#{number}"), explanation))
    return found


def _finding(
    source: Source,
    explanation: Explanation | None,
    constraints: Constraints,
    options: ConstraintOptions,
    settings: Settings,
) -> _Finding:
    from agentic_dsl.runtime.matcher.explain_layout import formatted

    if explanation is None:
        return _Finding(source, None, (), None)
    origins = tuple(
        origin_of(field, constraints, options, settings, explanation.subject) for field in explanation.constraints
    )
    shown = formatted(source.text, constraints) if explanation.status == "forbidden" else None
    return _Finding(source, explanation, origins, shown)


# --- what is printed -------------------------------------------------------------------------------------------------


def _record(finding: _Finding) -> dict[str, Any]:
    """One JSON object a text; see ``docs/explain.md``."""
    explanation, shown = finding.explanation, finding.formatted
    head: dict[str, Any] = {"ok": explanation is None, "path": finding.source.path}
    if explanation is None:
        return head | {"status": "allowed"}
    origins = {"constraints": [origin.record() for origin in finding.origins]}
    after = None if shown is None or shown.explanation is None else shown.explanation.record()
    layout = None if shown is None else {"allowed": shown.explanation is None, "has_prose": shown.has_prose}
    return head | explanation.record() | origins | {"help": _help(finding), "formatted": layout, "after_fmt": after}


def _help(finding: _Finding) -> str | None:
    """What to do, where that is more than to take an alternative."""
    explanation, shown = finding.explanation, finding.formatted
    assert explanation is not None  # the caller has looked
    if shown is not None:
        name = finding.source.path
        prose = " and drop the text around the block" if shown.has_prose else ""
        if shown.explanation is None:
            return f"run `agentic-dsl fmt {name}`{prose}: only the layout differs from generated text"
        if shown.explanation.message != explanation.message:
            return f"run `agentic-dsl fmt {name}`{prose}; then this is left: {shown.explanation.message}"
    if explanation.budget is not None:
        gap = explanation.budget
        return f"allow at least {gap.used + gap.needed:,} tokens with --max-output-tokens"
    if explanation.alternatives and explanation.status == "forbidden":
        return f"write {explanation.alternatives[0]}"
    return None


def _lines(finding: _Finding) -> Iterator[Styled]:
    """The finding with its source line, and what explains it."""
    explanation = finding.explanation
    if explanation is None:
        return
    code = INCOMPLETE if explanation.rule is None else explanation.rule.code
    start = explanation.word_offset
    end = start + len(explanation.word)
    shown = code.at(Span(start, max(end, explanation.offset)), explanation.message, help=_help(finding))
    lines = list(findings.show([shown], finding.source))
    yield from lines[:-1]
    margin = " " * len(str(finding.source.position(start).line))
    for name, text in _notes(finding, explanation):
        yield [(f"{margin} = ", "blue"), (f"{name}: ", "bold"), (findings.printable(text), "")]
    yield []


def _notes(finding: _Finding, explanation: Explanation) -> Iterator[tuple[str, str]]:
    if explanation.offset > explanation.word_offset and explanation.status == "forbidden":
        at = explanation.position
        yield "place", f"line {at.line}, column {at.column} is the first that is not allowed"
    if explanation.token is not None:
        yield "token", f"number {explanation.token.index}, id {explanation.token.id}: {explanation.token.text!r}"
    if explanation.rule is not None:
        yield "rule", f"{explanation.rule.text} (language {explanation.rule.section})"
    for origin in finding.origins:
        yield "forbidden by", str(origin)
    if len(explanation.alternatives) > 1:
        yield "nearest", ", ".join(explanation.alternatives)
    if explanation.status == "incomplete":
        missing = explanation.completion.splitlines()
        more = f" … and {len(missing) - _MOST_MISSING} lines" if len(missing) > _MOST_MISSING else ""
        yield "shortest end", " ⏎ ".join(line.strip() for line in missing[:_MOST_MISSING]) + more
