"""Logits of a model that transformers has loaded: `ModelLogits`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentic_dsl.runtime.engines.decode import Step
from agentic_dsl.runtime.engines.embedded.kv_cache import GrowingLayer, filled_cache, write_in_place
from agentic_dsl.runtime.engines.embedded.prefix_reader import Prefix, PrefixReader

if TYPE_CHECKING:
    import torch

    from agentic_dsl.runtime.engines.embedded.key_values import KeyValues
    from agentic_dsl.runtime.engines.embedded.tensor_files import TensorFiles
    from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
    from agentic_dsl.runtime.prefix_cache.spans import Span

_GAPS, _GAPS_FROM = 1.25, 64
"""How many times its longest row a cache may be as wide, and how many places more, before its gaps are closed."""


class ModelLogits:
    """A `LogitsSource`: the model and the key-value cache of one batch.

    What prompts begin with is read once and kept (`prefix_reader`). The rest is padded on the left; padding is masked
    and positions skip it, so that it changes nothing. Rows that go on by different
    numbers of tokens are padded in the same way, and what is taken back is masked: gaps change nothing either. Keys and
    values stay where they are meanwhile (`kv_cache`).
    """

    def __init__(
        self,
        model: Any,
        prefixes: PrefixCache[KeyValues] | None = None,
        files: TensorFiles | None = None,
        programs: Sequence[int | None] = (),
    ) -> None:
        """Reads nothing yet.

        Args:
            model: of transformers.
            prefixes: what it has read before; gains what it reads. None keeps it for this batch alone.
            files: what was saved; only read.
            programs: who asks, row by row, see `PrefixCache.open_program`; empty where nobody says.
        """
        self._model, self._prefixes, self._files = model, prefixes, files
        self._programs = tuple(programs)
        self._cache: Any = None
        self._mask: torch.Tensor | None = None
        self.reused: Sequence[int] = ()
        """See `LogitsSource.reused`."""

    def start(self, prompts: Sequence[Sequence[int]], spans: Sequence[Sequence[Span]] = ()) -> torch.Tensor:
        """See `LogitsSource.start`. Without spans everything is read together."""
        import torch

        # Not kept: it holds what it read, which the cache below has copies of.
        reader = PrefixReader(self._model, self._prefixes, self._files)
        known: list[Prefix] = [
            reader.read(prompt, spans[row] if spans else (), self._programs[row] if self._programs else None)
            for row, prompt in enumerate(prompts)
        ]
        self.reused = [prefix.reused for prefix in known]
        width = max(prefix.length for prefix in known)
        if width:
            self._cache = filled_cache(self._model, [prefix.pieces for prefix in known], width)
        rest = [list(prompt[prefix.length :]) for prompt, prefix in zip(prompts, known, strict=True)]
        longest = max(map(len, rest))
        # The padding is masked, so any token will do; 0 exists in every vocabulary.
        ids = torch.tensor([[0] * (longest - len(own)) + own for own in rest])
        mask = [
            [0] * (width - prefix.length) + [1] * prefix.length + [0] * (longest - len(own)) + [1] * len(own)
            for prefix, own in zip(known, rest, strict=True)
        ]
        self._mask = torch.tensor(mask, device=self._model.device)
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        return self._forward(ids, positions[:, width:])

    @property
    def takes_back(self) -> bool:
        """See `LogitsSource.takes_back`: whether the cache is nothing but keys and values of every token."""
        layers = getattr(self._cache, "layers", ())
        return bool(layers) and all(type(layer) is GrowingLayer for layer in layers)

    def step(self, steps: Sequence[Step]) -> torch.Tensor:
        """See `LogitsSource.step`. Shorter rows are padded on the left of what is new."""
        import torch

        assert self._mask is not None, "start comes first"
        if any(step.drop for step in steps):
            self._drop([step.drop for step in steps])
        longest = max(len(step.tokens) for step in steps)
        ids = torch.tensor([[0] * (longest - len(step.tokens)) + list(step.tokens) for step in steps])
        new = [[0] * (longest - len(step.tokens)) + [1] * len(step.tokens) for step in steps]
        self._mask = torch.cat([self._mask, torch.tensor(new, device=self._mask.device)], dim=1)
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        logits = self._forward(ids, positions[:, -longest:])
        self._close_gaps()
        return logits

    def _drop(self, counts: Sequence[int]) -> None:
        """Takes the last tokens of each row back: they are masked, and cut off where no row needs their place."""
        assert self._mask is not None
        from_end = self._mask.flip(1).cumsum(1).flip(1)
        self._mask = self._mask * (from_end > self._mask.new_tensor(counts)[:, None])
        used = int(self._mask.any(0).nonzero().max()) + 1
        if used < self._mask.shape[1]:
            self._cache.crop(used - self._mask.shape[1])  # negative: how many are cut off
            self._mask = self._mask[:, :used]

    def _close_gaps(self) -> None:
        """Moves each row's keys and values together once the places that are masked in all rows cost too much."""
        assert self._mask is not None
        width, longest = self._mask.shape[1], int(self._mask.sum(1).max())
        if width < _GAPS_FROM + longest * _GAPS or not self.takes_back:
            return
        # Stable: what is masked goes to the left, what is not keeps its order.
        order = self._mask.sort(dim=1, stable=True).indices[:, -longest:]
        for layer in self._cache.layers:
            layer.select_positions(order)
        self._mask = self._mask.gather(1, order)

    def keep(self, rows: Sequence[int]) -> None:
        """See `LogitsSource.keep`."""
        import torch

        if self._mask is None:  # nothing is read yet
            self._programs = tuple(self._programs[row] for row in rows) if self._programs else ()
            return
        chosen = torch.tensor(rows, device=self._mask.device)
        self._mask = self._mask[chosen]
        self._cache.batch_select_indices(chosen)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        import torch

        # Not inference_mode: its tensors could not be masked in place.
        with torch.no_grad():
            answer = self._model(
                input_ids=ids.to(self._model.device),
                attention_mask=self._mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,  # a prompt's other logits would take 200 kB a token
            )
            self._cache = write_in_place(answer.past_key_values)
            logits: torch.Tensor = answer.logits[:, -1, :]
            return logits
