"""`explain_trace`: the first token of an answer that is not allowed, be it for what it spells or for the budget.

The budget is broken by the first token after which the completion policy needs more tokens than are left. That is the
matcher's own condition; only at the very edge does the matcher allow less, for it then writes the policy's own tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.matcher.completion import costs
from agentic_dsl.runtime.matcher.explain import BudgetGap, Explanation, TokenPlace, explain
from agentic_dsl.runtime.matcher.explain_words import policy_line
from agentic_dsl.runtime.matcher.frames import Frame, feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.vocabulary_trie import trie_of
from agentic_dsl.span import Source

if TYPE_CHECKING:
    from agentic_dsl.runtime.tokenizer import Tokenizer
    from agentic_dsl.runtime.vocabulary import Vocabulary


def explain_trace(
    source: Constraints | Plan,
    tokenizer: Tokenizer,
    token_ids: Sequence[int],
    *,
    max_output_tokens: int | None = None,
    whole: bool = True,
) -> Explanation | None:
    """Why the tokens of an answer are not allowed, None where they are.

    Args:
        source: what the answer must be.
        tokenizer: of the model that wrote it.
        token_ids: its tokens, with or without the end token.
        max_output_tokens: the most tokens, end token included; None takes `Constraints.max_output_tokens`.
        whole: whether the tokens must be a whole answer.

    Raises:
        ConstraintError: no document satisfies the constraints.
        UsageError: a token is none of the tokenizer's.
    """
    plan = Plan.of(source) if isinstance(source, Constraints) else source
    limit = plan.constraints.max_output_tokens if max_output_tokens is None else max_output_tokens
    pieces = [_piece(tokenizer, index, token_id) for index, token_id in enumerate(token_ids)]
    frame: Frame = start(plan)
    text = b""
    for index, piece in enumerate(pieces):
        token = TokenPlace(index, token_ids[index], _spelling(tokenizer, token_ids[index]))
        if piece is None:
            return _at_special(plan, text, token, tokenizer, index + 1 == len(pieces))
        after = feed(frame, piece)
        if after is None:
            # With what follows, so that the word in which the token stands is seen whole.
            found = explain(frame, b"".join(more or b"" for more in pieces[index:]), before=text)
            return None if found is None else replace(found, token=token)
        frame, text = after, text + piece
        if limit is not None and (gap := _gap(tokenizer.vocabulary, frame, limit, index + 1)) is not None:
            return _over_budget(frame, text, token, gap)
    return explain(frame, b"", before=text, whole=whole)


def text_of_trace(tokenizer: Tokenizer, token_ids: Sequence[int]) -> bytes:
    """What tokens spell, special tokens left out.

    Raises:
        UsageError: a token is none of the tokenizer's.
    """
    return b"".join(_piece(tokenizer, index, token_id) or b"" for index, token_id in enumerate(token_ids))


def _piece(tokenizer: Tokenizer, index: int, token_id: int) -> bytes | None:
    tokens = tokenizer.vocabulary.tokens
    if not 0 <= token_id < len(tokens):
        raise UsageError(
            f'token {index} of the trace has the id {token_id}, but the tokenizer "{tokenizer.name}" has the ids 0 to '
            f"{len(tokens) - 1}",
            help="name the tokenizer of the model that wrote the trace with --tokenizer",
        )
    return tokens[token_id]


def _spelling(tokenizer: Tokenizer, token_id: int) -> str:
    vocabulary = tokenizer.vocabulary
    piece = vocabulary.tokens[token_id]
    return vocabulary.specials.get(token_id, "") if piece is None else piece.decode("utf-8", "replace")


def _at_special(plan: Plan, text: bytes, token: TokenPlace, tokenizer: Tokenizer, is_last: bool) -> Explanation | None:
    """What an end token, or another special one, does to the answer."""
    ends = token.id in tokenizer.vocabulary.eos_token_ids
    found = explain(start(plan), b"", before=text, whole=True)
    if found is None and ends and is_last:
        return None
    if found is None:
        # The answer is whole, so anything but one end token is too much: as what is no text would be, even in prose.
        found = explain(start(plan), b"\xff", before=text)
        assert found is not None  # no answer goes on with this byte
        return replace(found, word=token.text, expected="the end of the answer", token=token)
    return replace(found, status="incomplete" if ends else "forbidden", word=token.text, token=token)


def _gap(vocabulary: Vocabulary, frame: Frame, limit: int, used: int) -> BudgetGap | None:
    """What the budget lacks behind a token, None where the rest fits."""
    rest = finish(frame)
    left = limit - used
    if left > len(rest) and not vocabulary.missing_bytes and _spells_bytes(vocabulary):
        return None  # even a token for every byte would fit
    needed = costs(trie_of(vocabulary).root, rest).total
    return None if needed <= left else BudgetGap(limit, used, left, needed)


def _spells_bytes(vocabulary: Vocabulary) -> bool:
    children = trie_of(vocabulary).root.children
    return len(children) == 256 and all(child.tokens for child in children.values())


def _over_budget(frame: Frame, text: bytes, token: TokenPlace, gap: BudgetGap) -> Explanation:
    accepted = text.decode("utf-8", "replace")
    start_of_token = len(text[: len(text) - len(token.text.encode())].decode("utf-8", "replace"))
    return Explanation(
        status="over_budget",
        offset=start_of_token,
        byte_offset=len(text) - len(token.text.encode()),
        position=Source(accepted).position(start_of_token),
        word=token.text,
        word_offset=start_of_token,
        accepted_line=accepted[:start_of_token].removesuffix("\n").rpartition("\n")[2],
        expected=(
            f"after {gap.used:,} of {gap.limit:,} tokens {max(gap.left, 0):,} are left, and the shortest way that the "
            f"completion policy knows to the end takes {gap.needed:,}"
        ),
        alternatives=(),
        completion=policy_line(frame),
        rule=None,
        constraints=("max_output_tokens",),
        token=token,
        budget=gap,
    )


__all__ = ["explain_trace", "text_of_trace"]
