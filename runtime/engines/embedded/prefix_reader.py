"""What prompts begin with, read once: from a cache of prefixes, from files, else by the model.

A prompt is read one segment after the other, each in a pass of its own, and only whole segments are reused. So the keys
and values of a segment behind given ones come out of the same arithmetic whoever reads them first, and an answer does
not depend on what the cache happens to hold. What comes last, the question, is left to the batch.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, takewhile
from typing import Any

import torch

from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.engines.embedded.key_values import KeyValues, between, up_to
from agentic_dsl.runtime.engines.embedded.kv_cache import (
    filled_cache,
    has_one_shape,
    keeps_everything,
    read_out,
    write_in_place,
)
from agentic_dsl.runtime.engines.embedded.tensor_files import TensorFiles
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.shelves import prefix_key
from agentic_dsl.runtime.prefix_cache.spans import Span, stops

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a prompt, read.

    Attributes:
        pieces: its keys and values, in order.
        length: its tokens.
        reused: how many of them the model did not have to read for this.
    """

    pieces: tuple[KeyValues, ...] = ()
    length: int = 0
    reused: int = 0


class PrefixReader:
    """Reads the beginnings of the prompts of one batch; what several of them share is read for the first one alone."""

    def __init__(
        self,
        model: Any,
        prefixes: PrefixCache[KeyValues] | None = None,
        files: TensorFiles | None = None,
        *,
        save: bool = False,
    ) -> None:
        """Reads nothing yet.

        Args:
            model: of transformers.
            prefixes: where to look first; gains what is read. None keeps it for this batch alone.
            files: where to look next.
            save: whether files gain what is read.
        """
        self._save = save
        self._model, self._prefixes, self._files = model, prefixes, files
        self._able = keeps_everything(model)
        self._here: dict[str, KeyValues] = {}

    def read(self, prompt: Sequence[int], spans: Sequence[Span], program: int | None = None) -> Prefix:
        """The beginning of a prompt up to the question.

        Args:
            prompt: its tokens.
            spans: what they are for; none, or a model with a cache of another kind: nothing is read ahead.
            program: who asks, see `PrefixCache.open_program`.
        """
        ends = tuple(stops(spans, len(prompt))) if self._able else ()
        if not ends:
            return Prefix()
        tokens = array("i", prompt[: ends[-1]])
        pieces = self._known(tokens, ends, program)
        at = reused = sum(piece.tokens for piece in pieces)
        self._write_known(tokens, pieces, [end for end in ends if end <= at])
        is_new = at < len(tokens)
        cache: Any = None
        for end in (stop for stop in ends if stop > at):
            key = prefix_key(tokens, at, end)
            piece = self._here.get(key) or self._loaded(key, end - at)
            if piece is not None:
                reused += piece.tokens
                cache = None
            else:
                cache = cache if cache is not None else self._begun(pieces)
                cache = self._pass(cache, tokens, at, end)
                if not has_one_shape(cache):
                    self._able = False
                    return Prefix()
                piece = read_out(cache, 0, at, end)
            self._here[key] = piece
            self._write(key, piece)
            pieces.append(piece)
            at = end
        if is_new and self._prefixes is not None:
            whole = tuple(takewhile(lambda span: span.end <= len(tokens), spans))
            self._prefixes.insert(tokens, partial(between, tuple(pieces)), whole, program=program)
        return Prefix(tuple(pieces), at, reused)

    def _known(self, tokens: array[int], ends: Sequence[int], program: int | None) -> list[KeyValues]:
        """The whole segments that the cache holds."""
        if self._prefixes is None:
            return []
        with self._prefixes.acquire(tokens, program=program) as lease:
            length = max((end for end in ends if end <= lease.length), default=0)
            return up_to(lease.payloads, length)

    def _loaded(self, key: str, length: int) -> KeyValues | None:
        """What files hold of a segment of this length."""
        piece = self._files.load(key) if self._files is not None else None
        return piece if piece is not None and piece.tokens == length else None

    def _write_known(self, tokens: array[int], pieces: Sequence[KeyValues], ends: Sequence[int]) -> None:
        """Writes the segments that the cache held but files do not: nobody asked for that when they were read."""
        if not self._save or self._files is None:
            return
        for start, end in pairwise([0, *ends]):
            if not self._files.touched(key := prefix_key(tokens, start, end)):
                self._write(key, between(pieces, start, end))

    def _write(self, key: str, piece: KeyValues) -> None:
        if self._save and self._files is not None:
            try:
                self._files.store(key, piece)
            except (OSError, CacheError) as exc:
                _log.warning("what was read is not saved: %s", exc)

    def _begun(self, pieces: Sequence[KeyValues]) -> Any:
        return filled_cache(self._model, [pieces], sum(piece.tokens for piece in pieces)) if pieces else None

    def _pass(self, cache: Any, tokens: array[int], start: int, end: int) -> Any:
        """Lets the model read one segment."""
        device = self._model.device
        with torch.no_grad():
            answer = self._model(
                input_ids=torch.tensor([tokens[start:end].tolist()], device=device),
                attention_mask=torch.ones(1, end, dtype=torch.long, device=device),
                position_ids=torch.arange(start, end, device=device)[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return write_in_place(answer.past_key_values)
