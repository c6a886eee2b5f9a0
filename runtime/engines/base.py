"""The engine port: what the toolkit asks of whatever runs a language model.

An engine gets whole requests and gives whole results, in the same order. It owns its model, its tokenizer and its
caches; a request carries the compiled constraints, and each engine enforces them in its own way: in process by a
`Matcher` on its logits, on a server by sending the grammar's text (`agentic_dsl.runtime.wire`). What an engine answers
is never believed: the caller parses and checks it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.skills.segments import Segment

if TYPE_CHECKING:
    from agentic_dsl.compiler.pipeline import CompiledSpec
    from agentic_dsl.runtime.prefix_cache.spans import Span

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation.

    Attributes:
        role: who speaks.
        content: what is said.
        segments: what its parts are for: together they are the content. None given: the turn is one part.
    """

    role: Role
    content: str
    segments: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        if self.segments and "".join(segment.text for segment in self.segments) != self.content:
            raise ValueError("the segments of a message must spell its content")

    @classmethod
    def of(cls, role: Role, segments: Iterable[Segment]) -> Message:
        """The turn that some parts make."""
        parts = tuple(segment for segment in segments if segment.text)
        return cls(role, "".join(segment.text for segment in parts), parts)

    def record(self) -> Mapping[str, str]:
        """The turn as chat templates and servers take it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is told. Contents are plain text: no spelling in them is ever a special token.

    Attributes:
        messages: the turns; equal constraints give equal turns but for the last.
    """

    messages: tuple[Message, ...]

    @property
    def text(self) -> str:
        """The prompt for models without a chat template, and for people."""
        return "\n\n".join(message.content for message in self.messages) + "\n\n"


FinishReason = Literal["stop", "length", "error"]
"""``stop``: the end token was chosen; ``length``: the token limit came first; ``error``: see `EngineResult.error`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen among those that the grammar allows.

    Attributes:
        temperature: 0 takes the likeliest token; the other fields then change nothing.
        top_p: keep the smallest set of likeliest tokens whose probabilities sum to this; 1 keeps all.
        top_k: keep this many of the likeliest tokens; 0 keeps all.
        seed: where the random numbers of this request start; None takes fresh ones.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise EngineError(f"the temperature is {self.temperature}", help="give a number of 0 or more")
        if not 0.0 < self.top_p <= 1.0:
            raise EngineError(f"top_p is {self.top_p}", help="give a number above 0 and up to 1")
        if self.top_k < 0:
            raise EngineError(f"top_k is {self.top_k}", help="give a whole number of 0 or more")


GREEDY = Sampling()
"""The likeliest allowed token, always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingHints:
    """What a serving layer may know of a request to keep, route and order its cache; never changes an answer.

    Attributes:
        session: requests of one session share what they begin with.
        parent: the session that this one was forked from, whose prefix it begins with.
        is_final: whether no request of the session follows, so that its cache may go.
        expected_tokens: how long the answer will be, about, in tokens.
        cache_salt: keeps the prefixes of one tenant apart from those of all others.
    """

    session: str | None = None
    parent: str | None = None
    is_final: bool = False
    expected_tokens: int | None = None
    cache_salt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    """One generation.

    Attributes:
        prompt: what the model is told.
        spec: the compiled constraints that the answer must follow, None for free text.
        sampling: how tokens are chosen.
        max_output_tokens: the most tokens of the answer, its end token included. A request is refused where the
            model's context cannot hold prompt and answer. None is what the context leaves after the prompt.
        token_cap: where `max_output_tokens` is None, a lower limit against answers that never end.
        priority: lower numbers go first, where the engine has an order (see `Capabilities.supports_priority`).
        hints: for the serving layer.
    """

    prompt: Prompt
    spec: CompiledSpec | None = None
    sampling: Sampling = GREEDY
    max_output_tokens: int | None = None
    token_cap: int | None = None
    priority: int = 0
    hints: ServingHints | None = None

    def __post_init__(self) -> None:
        if self.max_output_tokens is not None and self.max_output_tokens < 1:
            raise EngineError(
                f"max_output_tokens is {self.max_output_tokens}", help="ask for at least one token, the end token"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What one request cost.

    Attributes:
        tokens: tokens of the answer, end token included.
        prompt_tokens: tokens of the prompt.
        forward_passes: passes of the model that this request took part in; reading the prompt counts as one.
        jump_forward_tokens: tokens appended because nothing else was allowed, without a pass of their own: ``tokens``
            less one for each pass. Tokens that were chosen may be joined or split when forced text follows them; the
            difference is counted here.
        mask_us: microseconds spent on filling and advancing this request's masks.
        seconds: wall time from the start of its batch to its own end.
        cached_tokens: tokens of the prompt that were not read for this request: they were in the engine's cache, or the
            first request of its batch has the same and they were read for that one.
    """

    tokens: int = 0
    prompt_tokens: int = 0
    forward_passes: int = 0
    jump_forward_tokens: int = 0
    mask_us: float = 0.0
    seconds: float = 0.0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResult:
    """The answer to one request.

    Attributes:
        text: what the tokens spell, without the end token.
        token_ids: all tokens chosen, the end token included where there is one.
        prompt_token_ids: the prompt as the model read it.
        prompt_spans: what these tokens are for, where the engine tokenises prompts itself.
        finish: why the answer ended.
        error: what went wrong, exactly where `finish` is ``error``.
        overlay: whether the semantic matcher wrote it, so that more than the grammar was enforced.
        stats: what it cost.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    prompt_spans: tuple[Span, ...] = ()
    finish: FinishReason
    error: GenerationError | None = None
    overlay: bool = False
    stats: Stats = field(default_factory=Stats)

    @classmethod
    def failed(cls, error: GenerationError, prompt_token_ids: Sequence[int] = ()) -> EngineResult:
        """The result of a request that could not be answered."""
        return cls(text="", finish="error", error=error, prompt_token_ids=tuple(prompt_token_ids))


OnToken = Callable[[int, int, str], None]
"""``on_token(row, tokens, text)``: request number ``row`` of the batch has ``tokens`` tokens, which spell ``text``.

Called in the thread that generates, after each pass: at least one token, more where text was forced. An exception ends
the whole call and reaches its caller. The whole text so far, because a request may be started again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can do beside answering; callers ask here and never for an engine's name.

    Attributes:
        supports_streaming: `OnToken` is called while an answer grows, not only at its end.
        supports_prefix_caching: what requests begin with alike is computed once and kept between calls.
        supports_overlay: the semantic matcher writes, so that reports of ``overlay`` hold.
        supports_priority: `EngineRequest.priority` orders requests that wait.
        supports_jump_forward: forced text is appended without a pass for each token.
    """

    supports_streaming: bool = False
    supports_prefix_caching: bool = False
    supports_overlay: bool = False
    supports_priority: bool = False
    supports_jump_forward: bool = False


@runtime_checkable
class Engine(Protocol):
    """What runs a model. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """The engine, a slash, and its model where that is known yet; for messages. Asks nobody."""
        ...

    @property
    def identity(self) -> str:
        """What answers depend on beside the request: engine, model, options that change answers; for cache keys.

        Raises:
            AgenticDSLError: a server has to be asked, and gives no answer.
        """
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beside answering."""
        ...

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """Answers every request, in order; one that fails has a result with ``error`` and spoils no other.

        Raises:
            EngineError: the engine as a whole cannot work.
            ModelError: its model cannot be loaded.
        """
        ...

    async def agenerate(
        self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None
    ) -> list[EngineResult]:
        """`generate` that leaves the event loop free. Cancelled, it stops what it can and answers nothing."""
        ...

    def close(self) -> None:
        """Lets go of what the engine holds (connections, processes, memory). Calling it again does nothing."""
        ...


class BlockingEngine:
    """The rest of the port for an engine whose `generate` blocks: threads for callers that must not wait."""

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`. Nothing, where an engine does not say otherwise."""
        return Capabilities()

    @property
    def identity(self: Engine) -> str:
        """See `Engine.identity`. The name, where no option changes answers."""
        return self.name

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        raise NotImplementedError

    async def agenerate(
        self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None
    ) -> list[EngineResult]:
        """See `Engine.agenerate`. A cancelled call ends after the pass that is running."""
        cancelled = False

        def watched(row: int, tokens: int, text: str) -> None:
            if cancelled:
                raise asyncio.CancelledError
            if on_token is not None:
                on_token(row, tokens, text)

        try:
            return await asyncio.to_thread(self.generate, requests, on_token=watched)
        except asyncio.CancelledError:
            cancelled = True
            raise

    def close(self) -> None:
        """See `Engine.close`. Nothing is held beyond the object's own memory."""
