"""From a prompt to token ids, so that no text of a user can become a special token.

A chat template marks turns with special tokens (``<|im_end|>``). Rendering a conversation to one text and tokenising
that would let a task, or a tool's description, spell such a token and speak in another role. So the template is
rendered around placeholders, cut there, and only the template's own pieces are read for special tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentic_dsl.errors import TokenizerError
from agentic_dsl.runtime.engines.base import Message, Prompt
from agentic_dsl.runtime.prefix_cache.spans import Span, stops
from agentic_dsl.runtime.tokenizer import Tokenizer
from agentic_dsl.skills.segments import Segment, SegmentKind

_PLACEHOLDER = "CONTENT-OF-TURN-{}-OF-{}-GOES-HERE"
"""Plain ASCII: templates trim and search contents, and must not find anything to act on."""


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """A prompt as a model reads it.

    Attributes:
        ids: its tokens.
        spans: what they are for: one span for each segment, in order, which together are all of the tokens. What a
            chat template writes belongs to the segment that follows it, and what ends the prompt to the last one.
    """

    ids: tuple[int, ...]
    spans: tuple[Span, ...]

    @property
    def stops(self) -> tuple[int, ...]:
        """Where its beginning is cut for reuse; see `agentic_dsl.runtime.prefix_cache.spans.stops`."""
        return tuple(stops(self.spans, len(self.ids)))


def prompt_tokens(prompt: Prompt, tokenizer: Tokenizer) -> PromptTokens:
    """The tokens that a model reads: in its chat template, or as plain text where it has none.

    Segments are tokenised one by one, so that equal ones behind equal ones have equal tokens whatever follows them.
    Templates that know no system role get the system text at the head of the user's turn.

    Raises:
        TokenizerError: the template cannot hold a conversation, or a text holds half of a surrogate pair.
    """
    if tokenizer.chat_template is None:
        writer = _Writer()
        for number, message in enumerate(prompt.messages, start=1):
            _write(writer, message, tokenizer, is_last=number == len(prompt.messages))
            writer.add(tokenizer.encode("\n\n"))
        return writer.tokens()
    try:
        return _in_template(prompt.messages, tokenizer)
    except TokenizerError:
        merged = _without_system(prompt.messages)
        if merged == prompt.messages:
            raise
        return _in_template(merged, tokenizer)


def prompt_token_ids(prompt: Prompt, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids alone of `prompt_tokens`."""
    return prompt_tokens(prompt, tokenizer).ids


class _Writer:
    """Collects tokens; those without a segment of their own wait for the next one."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._spans: list[Span] = []

    def add(self, ids: Sequence[int], segment: Segment | None = None) -> None:
        self._ids += ids
        start = self._spans[-1].end if self._spans else 0
        if segment is not None and start < len(self._ids):
            self._spans.append(Span(start, len(self._ids), segment.kind, segment.name))

    def tokens(self) -> PromptTokens:
        ids = tuple(self._ids)
        if ids and not self._spans:  # nothing but empty turns
            self._spans = [Span(0, len(ids), SegmentKind.QUESTION)]
        elif self._spans and self._spans[-1].end < len(ids):
            self._spans[-1] = replace(self._spans[-1], end=len(ids))
        return PromptTokens(ids, tuple(self._spans))


def _write(writer: _Writer, message: Message, tokenizer: Tokenizer, *, is_last: bool) -> None:
    """Adds one turn; where nobody says what it is for, the last one is the question."""
    kind = SegmentKind.QUESTION if is_last else SegmentKind.CONTEXT
    for segment in message.segments or (Segment(kind, "", message.content),):
        writer.add(tokenizer.encode(segment.text), segment)


def _in_template(messages: tuple[Message, ...], tokenizer: Tokenizer) -> PromptTokens:
    names = [_PLACEHOLDER.format(turn, len(messages)) for turn in range(len(messages))]
    turns = [{"role": message.role, "content": name} for message, name in zip(messages, names, strict=True)]
    rest = tokenizer.apply_chat_template(turns) or ""
    writer = _Writer()
    for number, (message, name) in enumerate(zip(messages, names, strict=True), start=1):
        before, found, rest = rest.partition(name)
        if not found or name in rest:
            raise TokenizerError(
                f'the chat template of "{tokenizer.name}" does not print every turn once, in order',
                help="use a model with an ordinary chat template, or one without any",
            )
        writer.add(tokenizer.encode_prompt(before) if before else [])
        _write(writer, message, tokenizer, is_last=number == len(messages))
    writer.add(tokenizer.encode_prompt(rest) if rest else [])
    return writer.tokens()


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same conversation with the system text at the head of the first user turn."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return messages
    system, user = messages[:2]
    kind = SegmentKind.QUESTION if len(messages) == 2 else SegmentKind.CONTEXT
    parts = [
        *(system.segments or (Segment(SegmentKind.SYSTEM_PROMPT, "", system.content),)),
        Segment(SegmentKind.SYSTEM_PROMPT, "", "\n\n"),
        *(user.segments or (Segment(kind, "", user.content),)),
    ]
    return (Message.of("user", parts), *messages[2:])
