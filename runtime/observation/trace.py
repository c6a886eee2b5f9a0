"""Request traces: one JSON object a line for each request, for operators, `explain --trace` and training.

A line is written with one call, so that lines of several threads and processes never mix, and a killed process loses
the line at hand at most. Files are rotated by size: ``trace.jsonl`` is the one that grows, ``trace.jsonl.1`` the one
before. A disk that is full, or a folder that is gone, costs lines and one warning, never an answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from agentic_dsl.errors import EngineError, UsageError
from agentic_dsl.runtime.engines.base import FinishReason, Prompt, Sampling, Stats
from agentic_dsl.runtime.engines.costs import MOST, impossible, without_impossible
from agentic_dsl.runtime.observation.calls import FinishedOnly, Observation
from agentic_dsl.runtime.observation.line_log import LineLog

_log = logging.getLogger(__name__)

VERSION = 1
"""Of a line. A field more does not change it, for readers skip what they do not know; another meaning does."""

MAX_LINE = 8 << 20
"""The longest line, in bytes, that is written or read."""

MAX_BYTES = 64 << 20
"""How large a file grows before the next one is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTrace:
    """One request as its line holds it.

    Attributes:
        version: of the line's form.
        time: when its call began, in UTC, ISO 8601.
        request_id: unique.
        engine: what ran the model.
        model: the model, whose tokenizer the ids are of.
        prompt_sha256: digest of the turns, see `prompt_digest`; None where the task was refused before there was one.
        prompt: the turns; None unless texts are kept.
        text: the answer; None unless texts are kept.
        constraints: digest of the constraints; None for free text.
        path: of the block that was asked for; None for free text.
        sampling: how tokens were chosen.
        max_output_tokens: the limit, end token included; None where only the context ended the answer.
        priority: among the requests that waited.
        prompt_token_ids: the prompt as the model read it; None where ids are not kept.
        token_ids: the answer, end token included; None where ids are not kept.
        stats: what it cost; 0 stands for a number of the engine's that no request can have.
        cached: whether it came from the subgraph cache, so that no model ran.
        overlay: whether the semantic matcher wrote it; None where no engine answered.
        finish: why the answer ended; None where no engine answered.
        valid: whether it is a checked subgraph.
        diagnostics: the codes of the findings, in order.
        error: the code of the error; None where there is an answer.
        dropped: the fields left out because the line would have been too long.
    """

    version: int = VERSION
    time: str
    request_id: str
    engine: str
    model: str | None = None
    prompt_sha256: str | None = None
    prompt: tuple[dict[str, str], ...] | None = None
    text: str | None = None
    constraints: str | None = None
    path: str | None = None
    sampling: Sampling | None = None
    max_output_tokens: int | None = None
    priority: int = 0
    prompt_token_ids: tuple[int, ...] | None = None
    token_ids: tuple[int, ...] | None = None
    stats: Stats = field(default_factory=Stats)
    cached: bool = False
    overlay: bool | None = None
    finish: FinishReason | None = None
    valid: bool = False
    diagnostics: tuple[str, ...] = ()
    error: str | None = None
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, seen: Observation, *, token_ids: bool = True, texts: bool = False) -> RequestTrace:
        """The line of a request that is over.

        Args:
            seen: the request.
            token_ids: whether the ids of prompt and answer are kept.
            texts: whether prompt and answer are kept as text.
        """
        request, result, generation = seen.request, seen.result, seen.generation
        spec = None if request is None else request.spec
        return cls(
            time=_iso(seen.call.started),
            request_id=seen.id,
            engine=seen.call.engine_name,
            model=seen.call.model,
            prompt_sha256=None if request is None else prompt_digest(request.prompt),
            prompt=_turns(request.prompt) if texts and request is not None else None,
            text=_encodable(generation.text) if texts and generation is not None else None,
            constraints=None if spec is None else spec.constraints.digest,
            path=None if spec is None else spec.constraints.path,
            sampling=None if request is None else request.sampling,
            max_output_tokens=None if request is None else request.max_output_tokens,
            priority=0 if request is None else request.priority,
            prompt_token_ids=() if generation is None else generation.prompt_token_ids if token_ids else None,
            token_ids=() if generation is None else generation.token_ids if token_ids else None,
            stats=without_impossible(seen.stats),
            cached=seen.cached,
            overlay=None if result is None else result.overlay,
            finish=None if result is None else result.finish,
            valid=seen.outcome == "valid",
            diagnostics=() if generation is None else tuple(finding.code for finding in generation.diagnostics),
            error=seen.error,
        )

    def line(self, limit: int = MAX_LINE) -> bytes:
        """The line with its end; what makes it too long is left out and named in `dropped`."""
        text = _ADAPTER.dump_json(self)
        if len(text) >= limit:
            left_out = tuple(name for name in _LARGE if getattr(self, name))
            slim = replace(self, **dict.fromkeys(left_out), dropped=left_out)  # type: ignore[arg-type]  # all optional
            text = _ADAPTER.dump_json(slim)
        return text + b"\n"


_LARGE = ("prompt", "text", "prompt_token_ids", "token_ids")
"""The fields whose size nothing else bounds."""

_ADAPTER: TypeAdapter[RequestTrace] = TypeAdapter(RequestTrace)


def prompt_digest(prompt: Prompt) -> str:
    """SHA-256 of a prompt's turns as canonical JSON, in hex: equal prompts have equal digests on every machine."""
    turns = [message.record() for message in prompt.messages]
    # ASCII, so that half a surrogate pair has a digest too.
    return hashlib.sha256(json.dumps(turns, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _turns(prompt: Prompt) -> tuple[dict[str, str], ...]:
    return tuple({key: _encodable(text) for key, text in message.record().items()} for message in prompt.messages)


def _encodable(text: str) -> str:
    """Without half surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


class TraceWriter(FinishedOnly):
    """Appends one line for each request to a file. Safe to share between threads; several processes may share a file.

    Attributes:
        path: the file that grows.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_bytes: int = MAX_BYTES,
        keep: int = 4,
        token_ids: bool = True,
        texts: bool = False,
    ) -> None:
        """Opens the file. Where it makes one, only its owner can read it, for token ids spell what was said.

        A file that is there already keeps its mode, which may be somebody's choice; the one after it is made anew.

        Args:
            path: the file; its folder is made.
            max_bytes: how large it grows before the next one is begun.
            keep: how many files before it are kept.
            token_ids: whether the ids of prompt and answer are kept.
            texts: whether prompt and answer are kept as text.

        Raises:
            UsageError: the file cannot be opened, or a bound is none.
        """
        self._lines = LineLog(Path(path), max_bytes=max_bytes, keep=keep)
        self._token_ids, self._texts = token_ids, texts

    @property
    def path(self) -> Path:
        """The file that grows."""
        return self._lines.path

    @property
    def lost(self) -> int:
        """How many lines could not be written."""
        return self._lines.lost

    def observe(self, seen: Observation) -> None:
        """See `Observer.observe`."""
        self.write(RequestTrace.of(seen, token_ids=self._token_ids, texts=self._texts))

    def write(self, trace: RequestTrace) -> None:
        """Appends a line; what cannot be written is counted in `lost`."""
        self._lines.append(trace.line())

    def close(self) -> None:
        """Closes the file; a later line opens it again. Calling it again does nothing."""
        self._lines.close()

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_traces(path: str | Path, *, on_skip: Callable[[str], None] | None = None) -> Iterator[RequestTrace]:
    """The requests of a file, oldest first, read line by line.

    Args:
        path: the file.
        on_skip: told of each line that is left out, and why: a torn line, as a killed process leaves it, a line of
            another version, one with numbers that no request can have, or what is no trace at all. None writes it to
            the log.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            yield from read_trace_lines(stream, str(path), on_skip=on_skip)
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}", help="name a file that can be read") from exc


def read_trace_lines(
    stream: BinaryIO, name: str, *, on_skip: Callable[[str], None] | None = None
) -> Iterator[RequestTrace]:
    """`read_traces` of a stream of bytes, such as standard input, that messages call ``name``."""
    skipped = _log.warning if on_skip is None else on_skip
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        whole = line.endswith(b"\n")
        if not whole and len(line) == MAX_LINE:
            while (more := stream.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
            skipped(f"{name}: line {number} is longer than {MAX_LINE:,} bytes")
        elif line.strip():
            found = _read(line, torn=not whole)
            if isinstance(found, RequestTrace):
                yield found
            else:
                skipped(f"{name}: line {number} {found}")


def _read(line: bytes, *, torn: bool) -> RequestTrace | str:
    """The request of a line, else what is wrong with the line."""
    try:
        trace = _ADAPTER.validate_json(line, strict=True)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            return "is cut short" if torn or line[:1] == b"{" else "is not JSON"
        where = ".".join(map(str, first["loc"]))
        return f"is no request trace: {where or 'it'}: {first['msg'].lower()}"
    except EngineError as exc:  # a sampling that no request can have
        return f"is no request trace: {exc.message}"
    if trace.version != VERSION:
        return f"is of version {trace.version}, and {VERSION} is known here"
    if wrong := impossible(trace.stats):
        return f"is no request trace: stats.{wrong[0]} should be between 0 and {MOST:,}"
    return trace


__all__ = [
    "MAX_BYTES",
    "MAX_LINE",
    "VERSION",
    "RequestTrace",
    "TraceWriter",
    "prompt_digest",
    "read_trace_lines",
    "read_traces",
]
