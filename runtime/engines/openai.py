"""The engine behind OpenAI-compatible servers: vLLM, vllm-router, LiteLLM and others.

One request here is one request there. The server gets the grammar with its contract in front (`runtime.wire`), so any
server that follows grammars enforces the grammar part, and one with the plug-in everything. Ids come from the server:
no tokenizer and no model is needed here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from agentic_dsl.errors import AgenticDSLError, EngineError, GenerationError, MissingExtraError
from agentic_dsl.runtime.engines.base import Capabilities, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.engines.http.ask import Ask, AttemptFailed, HttpLimits, T
from agentic_dsl.runtime.engines.http.chat_exchange import ChatExchange, Hook, HookFailed, is_too_long
from agentic_dsl.runtime.engines.http.endpoints import Endpoint, Endpoints
from agentic_dsl.runtime.engines.http.event_loop import EventLoopThread
from agentic_dsl.runtime.engines.http.grammar_echo import departure
from agentic_dsl.runtime.engines.http.openai_wire import ChatAnswer, ServerFields, VllmFields
from agentic_dsl.runtime.engines.http.server_facts import ServerFacts
from agentic_dsl.runtime.engines.serving_hints import LAYERS, Layer
from agentic_dsl.runtime.wire import Bounds

if TYPE_CHECKING:
    from agentic_dsl.runtime.engines.http.client import HttpClient

_log = logging.getLogger(__name__)

KEY_VARIABLES = ("AGENTIC_DSL_API_KEY", "OPENAI_API_KEY")
"""Where a key is looked for, in this order, if none is given."""


class OpenAIEngine:
    """Asks servers over HTTP, up to ``max_concurrency`` requests at once. Safe to share between threads and loops.

    It owns a thread with an event loop, and its connections, from the first request until `close`. Requests are spread
    over the base URLs; one that does not answer rests for a while, and what it was asked goes to another. A request is
    tried again only where that can help (see `http_errors`), always from its beginning.
    """

    default_url: ClassVar[str] = "http://127.0.0.1:8000/v1"
    label: ClassVar[str] = "openai"
    fields: ClassVar[ServerFields] = VllmFields()

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        base_urls: Sequence[str] = (),
        api_key: str | None = None,
        semantic: bool = True,
        overlay: bool | None = None,
        check_grammar: bool = True,
        grammar_retries: int = 0,
        max_grammar_chars: int = Bounds().characters,
        send_priority: bool = False,
        serving_layer: Layer = "none",
        extra_body: Mapping[str, Any] | None = None,
        verify_tls: bool | str = True,
        timeout: float = HttpLimits.timeout,
        connect_timeout: float = HttpLimits.connect_timeout,
        max_retries: int = HttpLimits.max_retries,
        max_concurrency: int = HttpLimits.max_concurrency,
        max_answer_bytes: int = HttpLimits.max_answer_bytes,
    ) -> None:
        """Reads its options; no server is asked yet.

        Args:
            model: the server's name for it; None takes the only one that the server has.
            base_url: of the server, such as ``http://127.0.0.1:8000/v1``, which is the default.
            base_urls: of several servers with the same model.
            api_key: sent as a bearer token; None or blank takes the first of `KEY_VARIABLES` that is not blank.
            semantic: ask for all rules while the answer is written; False asks for the grammar alone.
            overlay: whether the servers run the plug-in; None asks each of them.
            check_grammar: look at answers for a server that ignores its grammar, and say so as an error.
            grammar_retries: how often such a request is tried again, elsewhere if there is another base URL.
            max_grammar_chars: the longest grammar that is sent, its contract included.
            send_priority: whether requests carry their priority. Servers that do not order by it refuse it.
            serving_layer: which takes the hints of requests, see `serving_hints`.
            extra_body: further fields of each request, such as ``chat_template_kwargs``.
            verify_tls: False checks no certificates; a text is a file of certificates to trust.
            timeout: see `HttpLimits`, like all that follow.
            connect_timeout: seconds until a connection stands.
            max_retries: further attempts after a failure that may pass.
            max_concurrency: the most requests at once.
            max_answer_bytes: the most bytes of one answer.

        Raises:
            EngineError: an option cannot be used.
            MissingExtraError: httpx or tenacity is not installed.
        """
        try:
            from agentic_dsl.runtime.engines.http.client import HttpClient
            from agentic_dsl.runtime.engines.http.connections import tls_context
        except ImportError as exc:
            raise MissingExtraError.of(exc.name or "httpx", "http") from exc
        if grammar_retries < 0:
            raise EngineError(f"grammar_retries is {grammar_retries}", help="give a whole number of 0 or more")
        if serving_layer not in LAYERS:
            raise EngineError(f'there is no serving layer "{serving_layer}"', help=f"name one of: {', '.join(LAYERS)}")
        limits = HttpLimits(
            timeout=timeout,
            connect_timeout=connect_timeout,
            max_retries=max_retries,
            max_concurrency=max_concurrency,
            max_answer_bytes=max_answer_bytes,
        )
        urls = [*([base_url] if base_url else []), *base_urls] or [self.default_url]
        key = next(filter(None, ((one or "").strip() for one in (api_key, *map(os.environ.get, KEY_VARIABLES)))), None)
        self._client: HttpClient = HttpClient(Endpoints(urls), limits, key=key, tls=tls_context(verify_tls))
        self._facts = ServerFacts(self._client, model=model, overlay=overlay if semantic else False)
        self._exchange = ChatExchange(
            fields=self.fields,
            semantic=semantic,
            sends_priority=send_priority,
            max_grammar_chars=max_grammar_chars,
            extra_body=dict(extra_body or {}),
            layer=serving_layer,
            key=key,
        )
        self._check_grammar = check_grammar
        self._grammar_tries = grammar_retries + 1
        self._thread = EventLoopThread(f"agentic-dsl-{self.label}", self._client.aclose)
        # An engine that nobody closes must leave no thread and no connections behind.
        weakref.finalize(self, self._thread.close)

    def __repr__(self) -> str:
        urls = ", ".join(endpoint.url for endpoint in self._client.endpoints.all)
        return f"{type(self).__name__}({self._facts.given_model!r}, base_urls=[{urls}])"

    @property
    def name(self) -> str:
        """See `Engine.name`. Where no model was given, it is known once the server was asked something."""
        model = self._facts.known_model
        return self.label if model is None else f"{self.label}/{model}"

    @property
    def identity(self) -> str:
        """See `Engine.identity`. Asks the server where no model was given.

        Raises:
            GenerationError: the server cannot be asked, or has several models.
        """
        model = self._facts.known_model or self._thread.run(self._model())
        fields = json.dumps(dict(self._exchange.extra_body), sort_keys=True, default=str)
        return f"{self.label}/{model} {fields}"

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`. The overlay is what all servers say that they have, or what the options say."""
        overlay = self._facts.given_overlay
        if overlay is None:
            overlay = self._thread.run(self._facts.overlay_everywhere())
        return Capabilities(
            supports_streaming=True,
            # Of vLLM and SGLang by default; what a server's operator switched off is not seen from here.
            supports_prefix_caching=True,
            supports_overlay=overlay,
            supports_priority=self._exchange.carries_priority,
        )

    @property
    def servers(self) -> int:
        """How many servers share its requests."""
        return len(self._client.endpoints.all)

    def ask(self, ask: Ask[T]) -> T:
        """Asks a server something beside answers, with the same key, certificates and limits.

        Raises:
            AttemptFailed: it gives no answer that can be used.
        """
        value, _ = self._thread.run(self._client.ask(ask))
        return value

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        try:
            return self._thread.run(self._answers(requests, on_token))
        except HookFailed as exc:
            raise exc.error from None

    async def agenerate(
        self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None
    ) -> list[EngineResult]:
        """See `Engine.agenerate`. Cancelled, it closes its connections, so that servers stop generating."""
        try:
            return await self._thread.arun(self._answers(requests, on_token))
        except HookFailed as exc:
            raise exc.error from None

    def close(self) -> None:
        """See `Engine.close`. Calls that run end with an `EngineError`."""
        self._thread.close()

    async def _model(self) -> str:
        try:
            return await self._facts.model()
        except AttemptFailed as exc:
            raise exc.error from exc

    async def _answers(self, requests: Sequence[EngineRequest], on_token: OnToken | None) -> list[EngineResult]:
        start = time.perf_counter()
        hooks = [None if on_token is None else partial(on_token, row) for row in range(len(requests))]
        tasks = [asyncio.create_task(self._answer(one, hook, start)) for one, hook in zip(requests, hooks, strict=True)]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _answer(self, request: EngineRequest, hook: Hook | None, start: float) -> EngineResult:
        """One request, from its grammar to its result; its errors are in the result."""
        try:
            async with self._client.slot():
                return await self._checked(request, hook, start)
        except AttemptFailed as exc:
            return EngineResult.failed(exc.error)
        except GenerationError as exc:
            return EngineResult.failed(exc)
        except AgenticDSLError as exc:
            error = GenerationError(exc.message, help=exc.help)
            error.__cause__ = exc
            return EngineResult.failed(error)
        except HookFailed:
            raise
        except Exception as exc:
            # A last resort: what nobody foresaw at one request must not take their answers from the others.
            _log.exception("a request ended in an error that is none of ours")
            error = GenerationError(
                f"the request ended in an unexpected {type(exc).__name__}", help="see the log, and report it"
            )
            error.__cause__ = exc
            return EngineResult.failed(error)

    async def _checked(self, request: EngineRequest, hook: Hook | None, start: float) -> EngineResult:
        """The result of the first server that keeps to the grammar, as far as is configured."""
        ignoring: set[str] = set()
        tries = self._grammar_tries
        while True:
            answer, endpoint = await self._asked(request, hook, ignoring)
            finish = answer.end()
            reason = None
            if request.spec is not None and self._check_grammar:
                # In another thread: a long document takes a while to read, and others stream meanwhile.
                complete = finish == "stop"
                reason = await asyncio.to_thread(departure, answer.text, request.spec.constraints, complete=complete)
            error = None if reason is None else _ignored(endpoint, reason)
            tries -= 1
            if error is None or not tries:
                overlay = error is None and request.spec is not None and await self._facts.overlay_at(endpoint)
                return EngineResult(
                    text=answer.text,
                    token_ids=tuple(answer.token_ids),
                    prompt_token_ids=tuple(answer.prompt_token_ids),
                    finish=finish if error is None else "error",
                    error=error,
                    overlay=overlay,
                    stats=answer.stats(time.perf_counter() - start),
                )
            _log.warning("%s; asking again", error.message)
            ignoring.add(endpoint.url)

    async def _asked(self, request: EngineRequest, hook: Hook | None, avoid: set[str]) -> tuple[ChatAnswer, Endpoint]:
        model = await self._facts.model()
        limit = request.max_output_tokens or request.token_cap
        try:
            return await self._client.ask(self._exchange.ask(request, model, hook, limit), avoid=avoid)
        except AttemptFailed as exc:
            # A cap is no demand: where the context leaves less, the context is the limit, which the server knows.
            if request.max_output_tokens is not None or limit is None or not is_too_long(exc):
                raise
        return await self._client.ask(self._exchange.ask(request, model, hook, None), avoid=avoid)


def _ignored(endpoint: Endpoint, reason: str) -> GenerationError:
    return GenerationError(
        f"{endpoint.url} does not keep to the grammar that it was sent: {reason}",
        help="use a server with structured outputs (vLLM, SGLang), and the engine of its name",
    )
