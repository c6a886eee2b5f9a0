"""One request and its answer on the chat route: what is sent for an `EngineRequest`, and how the answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest
from agentic_dsl.runtime.engines.http.ask import Answer, Ask, AttemptFailed
from agentic_dsl.runtime.engines.http.openai_wire import CHAT_PATH, ChatAnswer, ServerFields, chat_body
from agentic_dsl.runtime.engines.http.sse import events
from agentic_dsl.runtime.engines.serving_hints import HINTS, Layer, hint_fields, hint_headers
from agentic_dsl.runtime.wire import with_contract

Hook = Callable[[int, str], None]
"""`OnToken` of one row: tokens so far, text so far."""

_EVENT_STREAM = "text/event-stream"
_DONE = "[DONE]"


class HookFailed(Exception):
    """The caller's `OnToken` raised; no failure of a server, so nothing is tried again.

    Attributes:
        error: what it raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatExchange:
    """What all requests of one engine have in common.

    Attributes:
        fields: of the server.
        semantic: whether contracts ask for all rules.
        sends_priority: whether requests carry their priority.
        max_grammar_chars: the longest grammar that is sent.
        extra_body: further fields; those of the engine go before them.
        layer: what stands in front of the servers and takes hints.
        key: never shown in a message.
    """

    fields: ServerFields
    semantic: bool
    sends_priority: bool
    max_grammar_chars: int
    extra_body: Mapping[str, Any]
    layer: Layer
    key: str | None = field(repr=False)

    @property
    def carries_priority(self) -> bool:
        """Whether the server, or what stands in front of it, hears of priorities."""
        hints = any(self.layer in hint.layers and hint.name.split(".")[-1] == "priority" for hint in HINTS)
        return self.sends_priority or hints

    def ask(self, request: EngineRequest, model: str, hook: Hook | None, max_tokens: int | None) -> Ask[ChatAnswer]:
        """What goes over the wire.

        Args:
            request: of the caller.
            model: the server's name for it.
            hook: called as the answer grows; None takes the answer as a whole.
            max_tokens: the limit that is sent, or None for the server's own.

        Raises:
            GenerationError: the grammar cannot be sent.
        """
        body = {**self.extra_body} | chat_body(
            request,
            self.fields,
            model=model,
            grammar=self._grammar(request, max_tokens),
            max_tokens=max_tokens,
            streams=hook is not None,
            sends_priority=self.sends_priority,
        )
        body |= hint_fields(request, self.layer)
        return Ask(
            path=CHAT_PATH,
            read=partial(_read, hook, self.key),
            body=_encoded(body),
            headers=hint_headers(request, self.layer),
            model=model,
        )

    def _grammar(self, request: EngineRequest, max_tokens: int | None) -> str | None:
        if (spec := request.spec) is None:
            return None
        if spec.dialect != "xgrammar":
            raise GenerationError(
                f'the grammar is in the dialect "{spec.dialect}"',
                help='compile the constraints with dialect="xgrammar"',
            )
        text = with_contract(spec, max_output_tokens=max_tokens, semantic=self.semantic)
        if len(text) > self.max_grammar_chars:
            raise GenerationError(
                f"the grammar has {len(text):,} characters, and {self.max_grammar_chars:,} may be sent",
                help="give fewer tools, or raise max_grammar_chars and the server's own limit",
            )
        return text


def _encoded(body: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as exc:
        raise GenerationError(
            "the prompt holds half of a character, which no server can read", help="decode the text that it comes from"
        ) from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise GenerationError("extra_body cannot be written as JSON", help="give texts, numbers and lists") from exc


def is_too_long(failed: AttemptFailed) -> bool:
    """Whether a server refused a request because prompt and answer together are longer than its context."""
    said = failed.error.message.lower()
    return failed.status in (400, 422) and any(word in said for word in ("context", "max_tokens", "maximum"))


async def _read(hook: Hook | None, key: str | None, answer: Answer) -> ChatAnswer:
    """Reads a stream, or a whole answer of a server that does not stream."""
    chat = ChatAnswer(url=answer.url, key=key)
    if answer.content_type == _EVENT_STREAM:
        async for data in events(answer.chunks):
            if data.strip() == _DONE:
                break
            if chat.read(data):
                _call(hook, chat)
    elif chat.read(await answer.body()):
        _call(hook, chat)
    chat.end()  # inside the attempt: an answer without an end is worth another one
    return chat


def _call(hook: Hook | None, chat: ChatAnswer) -> None:
    if hook is None:
        return
    try:
        hook(chat.tokens, chat.text)
    except BaseException as exc:
        raise HookFailed(exc) from exc
