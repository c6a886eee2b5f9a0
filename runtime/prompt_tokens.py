"""From a prompt to token ids, so that no text of a user can become a special token.

A chat template marks turns with special tokens (``<|im_end|>``). Rendering a conversation to one text and tokenising
that would let a task, or a tool's description, spell such a token and speak in another role. So the template is
rendered around placeholders, cut there, and only the template's own pieces are read for special tokens.
"""

from __future__ import annotations

from agentic_dsl.errors import TokenizerError
from agentic_dsl.runtime.engines.base import Message, Prompt
from agentic_dsl.runtime.tokenizer import Tokenizer

_PLACEHOLDER = "CONTENT-OF-TURN-{}-OF-{}-GOES-HERE"
"""Plain ASCII: templates trim and search contents, and must not find anything to act on."""


def prompt_token_ids(prompt: Prompt, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids that a model reads: in its chat template, or as plain text where it has none.

    Templates that know no system role get the system text at the head of the user's turn.

    Raises:
        TokenizerError: the template cannot hold a conversation, or a text holds half of a surrogate pair.
    """
    if tokenizer.chat_template is None:
        return tuple(tokenizer.encode(prompt.text))
    try:
        return _in_template(prompt.messages, tokenizer)
    except TokenizerError:
        merged = _without_system(prompt.messages)
        if merged == prompt.messages:
            raise
        return _in_template(merged, tokenizer)


def _in_template(messages: tuple[Message, ...], tokenizer: Tokenizer) -> tuple[int, ...]:
    names = [_PLACEHOLDER.format(turn, len(messages)) for turn in range(len(messages))]
    turns = [{"role": message.role, "content": name} for message, name in zip(messages, names, strict=True)]
    rest = tokenizer.apply_chat_template(turns) or ""
    ids: list[int] = []
    for message, name in zip(messages, names, strict=True):
        before, found, rest = rest.partition(name)
        if not found or name in rest:
            raise TokenizerError(
                f'the chat template of "{tokenizer.name}" does not print every turn once, in order',
                help="use a model with an ordinary chat template, or one without any",
            )
        ids += tokenizer.encode_prompt(before) if before else []
        ids += tokenizer.encode(message.content)
    return tuple(ids + (tokenizer.encode_prompt(rest) if rest else []))


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same conversation with the system text at the head of the first user turn."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return messages
    first = Message("user", f"{messages[0].content}\n\n{messages[1].content}")
    return (first, *messages[2:])
