"""What goes to an OpenAI-compatible server and what comes back: request fields, answer records.

The chat route is common ground; how a grammar, token ids and priorities are spelled is not. `ServerFields` is that
difference, one implementation a server: `VllmFields` here, SGLang's beside its engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from agentic_dsl.runtime.engines.base import EngineRequest, FinishReason, Sampling, Stats
from agentic_dsl.runtime.engines.costs import is_possible
from agentic_dsl.runtime.engines.http.ask import AttemptFailed, failure, redacted, server_reason

CHAT_PATH = "/chat/completions"
MODELS_PATH = "/models"


class ServerFields(Protocol):
    """How one server spells what OpenAI's interface has no word for."""

    def grammar(self, text: str) -> Mapping[str, object]:
        """The fields that hold the answer to a grammar."""
        ...

    def token_ids(self, *, streams: bool) -> Mapping[str, object]:
        """The fields that ask for the ids of prompt and answer."""
        ...

    def priority(self, value: int) -> Mapping[str, object]:
        """The fields of a priority whose lower numbers go first."""
        ...


@dataclass(frozen=True, slots=True)
class VllmFields:
    """vLLM 0.12 and later, and routers and gateways in front of it that pass fields on."""

    def grammar(self, text: str) -> Mapping[str, object]:
        """See `ServerFields.grammar`."""
        return {"structured_outputs": {"grammar": text}}

    def token_ids(self, *, streams: bool) -> Mapping[str, object]:  # noqa: ARG002  # the same in both cases
        """See `ServerFields.token_ids`."""
        return {"return_token_ids": True}

    def priority(self, value: int) -> Mapping[str, object]:
        """See `ServerFields.priority`. A server without ``--scheduling-policy priority`` refuses it."""
        return {"priority": value}


def chat_body(
    request: EngineRequest,
    fields: ServerFields,
    *,
    model: str,
    grammar: str | None,
    max_tokens: int | None,
    streams: bool,
    sends_priority: bool,
) -> dict[str, object]:
    """The body of one request.

    Args:
        request: what is asked.
        fields: of the server.
        model: the server's name for the model.
        grammar: with its contract, or None.
        max_tokens: the limit that is sent, or None for the server's own.
        streams: whether the answer comes as it grows.
        sends_priority: whether the server orders by priority.
    """
    body: dict[str, object] = {"model": model, "messages": [message.record() for message in request.prompt.messages]}
    body |= _sampling(request.sampling)
    body |= fields.token_ids(streams=streams)
    if grammar is not None:
        # Never beside `tools`: their choice would replace the grammar.
        body |= fields.grammar(grammar)
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    if streams:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if sends_priority:
        body |= fields.priority(request.priority)
    if request.hints is not None and request.hints.cache_salt:
        body["cache_salt"] = request.hints.cache_salt
    return body


def _sampling(sampling: Sampling) -> dict[str, object]:
    """All of it, said aloud: servers fill what is missing from the model's own defaults, penalties included."""
    fields: dict[str, object] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
    }
    return fields if sampling.seed is None else fields | {"seed": sampling.seed}


# --- answers ---------------------------------------------------------------------------------------------------------


def _read_count(value: object, read: ValidatorFunctionWrapHandler) -> int:
    """A number of tokens; 0, which means unknown, for what can be none. A good answer is not refused for its bill."""
    try:
        count: int = read(value)
    except ValidationError:
        return 0
    return count if is_possible(count) else 0


_Count = Annotated[int, WrapValidator(_read_count)]


class _Details(BaseModel):
    cached_tokens: _Count = 0


class _Usage(BaseModel):
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    prompt_tokens_details: _Details | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None


class _SglExt(BaseModel):
    input_ids: list[int] | None = None
    output_ids: list[list[int]] | None = None


class _Record(BaseModel):
    """A whole answer, or a piece of a stream."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    prompt_token_ids: list[int] | None = None
    sglext: _SglExt | None = None
    error: Any = None


_FINISHES: Mapping[str, FinishReason] = {"stop": "stop", "length": "length"}


@dataclass(slots=True)
class ChatAnswer:
    """An answer that grows: one record for a whole one, one for each piece of a stream.

    Attributes:
        url: of the server, for messages.
        text: so far.
        token_ids: so far; empty where the server does not give them.
        prompt_token_ids: the same for the prompt.
        finish: as the server spells it, None before the end.
        pieces: of text that came; about the number of tokens where there is nothing better.
    """

    url: str
    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    prompt_token_ids: list[int] = field(default_factory=list)
    finish: str | None = None
    pieces: int = 0
    key: str | None = field(default=None, repr=False)
    _usage: _Usage | None = field(default=None, repr=False)

    @property
    def tokens(self) -> int:
        """Tokens of the answer so far."""
        counted = self._usage.completion_tokens if self._usage is not None else 0
        return counted or len(self.token_ids) or self.pieces

    def read(self, data: str | bytes) -> bool:
        """Takes one record in; whether the text grew.

        Raises:
            AttemptFailed: it is no record of an answer, or one that says what went wrong.
        """
        try:
            record = _Record.model_validate_json(data)
        except ValidationError as exc:
            raise self._unreadable(data) from exc
        if record.error:
            raise self._error(record.error)
        if record.usage is not None:
            self._usage = record.usage
        self.prompt_token_ids = record.prompt_token_ids or self.prompt_token_ids
        if record.sglext is not None:
            self.prompt_token_ids = record.sglext.input_ids or self.prompt_token_ids
            self.token_ids = next(iter(record.sglext.output_ids or ()), self.token_ids)
        return bool(record.choices) and self._choice(record.choices[0])

    def stats(self, seconds: float) -> Stats:
        """What the answer cost, as far as the server says.

        Args:
            seconds: that the caller waited.
        """
        usage = self._usage or _Usage()
        details = usage.prompt_tokens_details or _Details()
        return Stats(
            tokens=self.tokens,
            prompt_tokens=usage.prompt_tokens or len(self.prompt_token_ids),
            cached_tokens=details.cached_tokens,
            seconds=seconds,
        )

    def end(self) -> FinishReason:
        """Why it ended.

        Raises:
            AttemptFailed: it did not, or not in a way that leaves an answer.
        """
        if self.finish is None:
            raise failure(f"the answer of {self.url} has no end", "see the server's log", again=True)
        if (known := _FINISHES.get(self.finish)) is not None:
            return known
        # Engines abort what runs when they stop; what a filter or a tool parser took away is gone for good.
        raise failure(
            f'{self.url} ended the answer with "{self.finish[:40]}"',
            "see the server's log" if self.finish == "abort" else "switch off the server's filters and tool parsers",
            again=self.finish == "abort",
        )

    def _choice(self, choice: _Choice) -> bool:
        said = choice.message or choice.delta or _Message()
        self.finish = choice.finish_reason or self.finish
        self.token_ids += choice.token_ids or ()
        self.prompt_token_ids = choice.prompt_token_ids or self.prompt_token_ids
        piece = said.content or said.refusal or ""
        self.pieces += bool(piece)
        self.text += piece
        return bool(piece)

    def _unreadable(self, data: str | bytes) -> AttemptFailed:
        seen = data.encode() if isinstance(data, str) else data
        shown = redacted(server_reason(seen[:2000])[:120], self.key)
        return failure(
            f"the answer of {self.url} is not what an OpenAI-compatible server gives: {shown}",
            "check that base_url is the server's address, with /v1",
            elsewhere=True,
        )

    def _error(self, error: object) -> AttemptFailed:
        """An error in the middle of a stream; its code is the status that it would have had before."""
        code = error.get("code") if isinstance(error, Mapping) else None
        said = error.get("message", "no reason given") if isinstance(error, Mapping) else error
        reason = redacted(server_reason(str(said).encode()), self.key)
        again = isinstance(code, int) and code >= 500
        return failure(f"{self.url} failed while it answered: {reason}", "see the server's log", again=again)


# --- models ----------------------------------------------------------------------------------------------------------


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


def read_models(body: bytes, url: str) -> list[str]:
    """The names that a server lists.

    Raises:
        AttemptFailed: it lists nothing that can be read.
    """
    try:
        return [model.id for model in _Models.model_validate_json(body).data]
    except ValidationError as exc:
        raise failure(
            f"the list of models of {url} cannot be read", "give model, and check that base_url ends in /v1"
        ) from exc
