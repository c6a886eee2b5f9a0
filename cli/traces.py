"""Saved token traces: the tokens of answers, as ``generate --format json`` prints them or one object a line.

A trace is a JSON object with ``token_ids``, and optionally ``tokenizer`` or ``model``, which say whose ids they are. A
file holds one, or one a line, or ``{"generations": [...]}``. Request traces
(`agentic_dsl.runtime.observation.trace`) are such lines too; those that a killed process tore, and requests without an
answer, are left out.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

from agentic_dsl.cli.inputs import read_bytes
from agentic_dsl.errors import UsageError
from agentic_dsl.span import MAX_BYTES

_HELP = 'write {"token_ids": [1, 2, 3], "tokenizer": "smollm2"}, or what `generate --format json` prints'


@dataclass(frozen=True, slots=True)
class Trace:
    """The tokens of one answer, and the tokenizer that they are of, where the file says it."""

    token_ids: tuple[int, ...]
    tokenizer: str | None


def read_traces(name: str) -> list[Trace]:
    """The traces of a file or standard input, at least one.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    raw = read_bytes(name, MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise UsageError(f"the trace {name} is larger than {MAX_BYTES >> 20} MiB", help="split it into several files")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(f"the trace {name} is not UTF-8", help="save it as UTF-8") from exc
    records = _answers(name, raw) if _are_requests(text) else _records(name, text)
    if len(records) == 1 and isinstance(records[0], dict) and isinstance(records[0].get("generations"), list):
        records = records[0]["generations"]
    if not records:
        raise UsageError(f"the trace {name} is empty", help=_HELP)
    return [_trace(name, number, record) for number, record in enumerate(records, 1)]


def _are_requests(text: str) -> bool:
    """Whether the lines are request traces, by the first that can be read."""
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        return isinstance(record, dict) and "request_id" in record
    return False


def _answers(name: str, raw: bytes) -> list[Any]:
    """The answers among request traces, as the traces of this file."""
    from agentic_dsl.runtime.observation.trace import read_trace_lines

    found = read_trace_lines(io.BytesIO(raw), name, on_skip=lambda _: None)
    answered = [trace for trace in found if trace.error is None]
    if any(trace.token_ids is None for trace in answered):
        raise UsageError(f"the trace {name} was written without token ids", help="write traces with token_ids=True")
    return [{"token_ids": list(trace.token_ids or ()), "model": trace.model} for trace in answered]


def _records(name: str, text: str) -> list[Any]:
    """The JSON values of a file: the whole, else one a line."""
    try:
        return [json.loads(text)] if text.strip() else []
    except json.JSONDecodeError as whole:
        return _lines(name, text, whole)
    except (RecursionError, ValueError) as exc:
        raise _too_much(name, exc) from exc


def _lines(name: str, text: str, whole: json.JSONDecodeError) -> list[Any]:
    """The JSON values of a file that is no JSON as a whole."""
    records: list[Any] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as exc:
            # A file that is one broken object says where it breaks, not that its first line is no JSON.
            where, what = (number, exc) if records else (whole.lineno, whole)
            raise UsageError(f"the trace {name} is not JSON: line {where}: {what.msg}", help=_HELP) from exc
        except (RecursionError, ValueError) as exc:
            raise _too_much(name, exc) from exc
    return records


def _too_much(name: str, exc: RecursionError | ValueError) -> UsageError:
    """The error for JSON that Python will not read: nested without end, or a number of thousands of digits."""
    what = "is nested too deeply" if isinstance(exc, RecursionError) else "holds a number that is too long"
    return UsageError(f"the trace {name} {what}", help=_HELP)


def _trace(name: str, number: int, record: Any) -> Trace:
    ids = record.get("token_ids") if isinstance(record, dict) else None
    if not isinstance(ids, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in ids):
        raise UsageError(f"trace {number} of {name} has no list of numbers token_ids", help=_HELP)
    for key in ("tokenizer", "model"):
        if isinstance(record.get(key), str):
            return Trace(tuple(ids), record[key])
    return Trace(tuple(ids), None)


__all__ = ["Trace", "read_traces"]
