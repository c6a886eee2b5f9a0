"""Keys and values that are written and read where they lie: a cache with room to grow, attention without copies.

A step at 2,600 positions reads every key and value once; nothing else that it does is as dear. transformers copies them
besides, all of them at every step: `DynamicLayer` joins old and new to a fresh tensor, and its attention repeats the
heads that several queries share whenever a row has more than one new token, which jump-forward makes the normal case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicCache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from agentic_dsl.runtime.engines.embedded.key_values import KeyValues

ROOM = 512
"""How many positions a buffer has to spare when it is made: about one answer."""

_ATTENTION = "agentic_dsl_grouped"


class GrowingLayer(DynamicLayer):
    """One layer's keys and values in buffers with room; `keys` and `values` are views of what is in use.

    Taking positions back (`crop`) shortens the views, and the next `update` writes over them. Views that were handed
    out before are therefore valid until then only. Without gradients: they do not allow writing in place.
    """

    def __init__(self, layer: DynamicLayer | None = None) -> None:
        """An empty layer, or one that goes on where another is."""
        super().__init__()  # type: ignore[no-untyped-call]  # transformers types methods, but not all
        self._buffers: tuple[torch.Tensor, ...] | None = None
        if layer is not None and layer.keys is not None and layer.values is not None:
            self.update(layer.keys, layer.values)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes new positions behind those in use; all keys and all values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        length = self.get_seq_length()
        end = length + key_states.shape[-2]
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            self._buffers = _buffer(self.keys, key_states, end), _buffer(self.values, value_states, end)
        keys, values = self._buffers
        keys[..., length:end, :] = key_states
        values[..., length:end, :] = value_states
        return self._use(end)

    def fill(self, rows: Sequence[Sequence[tuple[torch.Tensor, torch.Tensor]]], length: int) -> None:
        """Begins with what is known of each row, which ends at position ``length``; what is before it is zero.

        Args:
            rows: for each row pieces of keys and values of shape (heads, positions, size), in order; they are copied.
            length: the positions in use afterwards; the longest row's.
        """
        keys, values = next(piece for row in rows for piece in row)
        self.lazy_initialization(keys, values)
        heads, _, size = keys.shape
        # Zero and not whatever was there: masked positions are multiplied, and numbers that are none would spread.
        self._buffers = tuple(keys.new_zeros(len(rows), heads, length + ROOM, size) for _ in (keys, values))
        for number, pieces in enumerate(rows):
            at = length - sum(piece[0].shape[1] for piece in pieces)
            for piece in pieces:
                end = at + piece[0].shape[1]
                for buffer, part in zip(self._buffers, piece, strict=True):
                    buffer[number, :, at:end] = part
                at = end
        self._use(length)

    def reset(self) -> None:
        """Forgets everything."""
        super().reset()
        self._buffers = None

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Other rows, in this order."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Goes on with these rows only."""
        self._replace(lambda old: old.index_select(0, indices.to(old.device)))

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Every row so many times."""
        self._replace(lambda old: old.repeat_interleave(repeats, dim=0))

    def select_positions(self, positions: torch.Tensor) -> None:
        """Goes on with these positions of each row, in this order.

        Args:
            positions: of shape (rows, new length).
        """

        def chosen(old: torch.Tensor) -> torch.Tensor:
            rows, heads, _, size = old.shape
            return old.gather(2, positions[:, None, :, None].expand(rows, heads, -1, size))

        self._replace(chosen, positions.shape[1])

    def _replace(self, copied: Callable[[torch.Tensor], torch.Tensor], length: int | None = None) -> None:
        """Copies whole buffers: rows keep their room, so that the next update need not copy them again."""
        if self._buffers is not None:
            length = self.get_seq_length() if length is None else length
            keys, values = self._buffers
            self._buffers = copied(keys), copied(values)
            self._use(length)

    def _use(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        assert self._buffers is not None, "there is something to use"
        keys, values = (buffer[..., :length, :] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return keys, values


def _buffer(old: torch.Tensor | None, new: torch.Tensor, length: int) -> torch.Tensor:
    """A buffer for so many positions and some more, which begins with the old ones."""
    rows, heads, _, size = new.shape
    buffer = new.new_empty(rows, heads, length + ROOM, size)
    if old is not None and old.numel():
        buffer[..., : old.shape[-2], :] = old
    return buffer


def write_in_place(cache: Any) -> Any:
    """The cache, with a buffer for every layer that keeps all keys and values; other layers stay as they are."""
    for at, layer in enumerate(getattr(cache, "layers", ())):
        if type(layer) is DynamicLayer:
            cache.layers[at] = GrowingLayer(layer)
    return cache


def keeps_everything(model: Any) -> bool:
    """Whether a model's cache is nothing but keys and values of every token: no windows, no states."""
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def has_one_shape(cache: Any) -> bool:
    """Whether keys and values of all layers have the same shape, so that one tensor can hold them: `KeyValues`."""
    return len({part.shape for layer in cache.layers for part in (layer.keys, layer.values)}) == 1


def filled_cache(model: Any, rows: Sequence[Sequence[KeyValues]], length: int) -> Any:
    """A cache that begins with what is known of each row; see `GrowingLayer.fill`."""
    cache = DynamicCache(config=model.config)
    for at in range(len(cache.layers)):
        layer = GrowingLayer()
        layer.fill([[(piece.tensor[at, 0], piece.tensor[at, 1]) for piece in row] for row in rows], length)
        cache.layers[at] = layer
    return cache


def read_out(cache: Any, row: int, start: int, end: int) -> KeyValues:
    """A copy of the keys and values of one row from ``start`` to before ``end``."""
    pairs = [torch.stack((layer.keys[row, :, start:end], layer.values[row, :, start:end])) for layer in cache.layers]
    return KeyValues(torch.stack(pairs))


def read_in_place(model: Any) -> None:
    """Lets a model that uses torch's attention read shared heads where they lie; other models stay as they are."""
    if getattr(model.config, "_attn_implementation", None) != "sdpa":
        return
    AttentionInterface.register(_ATTENTION, grouped_attention)
    AttentionMaskInterface.register(_ATTENTION, sdpa_mask)
    model.set_attn_implementation(_ATTENTION)


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Torch's attention, with the queries that share a head of keys as more rows of one query.

    Numbers are those of repeated heads up to rounding. What this does not cover (a causal mask that is only implied,
    biases, as many heads of keys as of queries) goes to transformers' own function.

    Args:
        module: the attention layer.
        query: of shape (rows, heads, new positions, size).
        key: of shape (rows, shared heads, positions, size), like ``value``.
        value: what is summed.
        attention_mask: of shape (rows, 1, new positions, positions).
        dropout: the share of weights that is dropped.
        scaling: of the products.
        options: what transformers adds for some models.

    Returns:
        Of shape (rows, new positions, heads, size), and no weights.
    """
    rows, heads, new, size = query.shape
    groups = heads // key.shape[1]
    one_mask = new == 1 if attention_mask is None else attention_mask.shape[1] == 1
    plain = all(options.get(name) is None for name in ("position_bias", "softcap", "cache"))
    if groups == 1 or not one_mask or not plain:
        answer: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return answer
    if attention_mask is not None:
        attention_mask = attention_mask.repeat(1, 1, groups, 1)
    packed = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, heads // groups, groups * new, size),
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
    )
    return packed.reshape(rows, heads, new, -1).transpose(1, 2).contiguous(), None
