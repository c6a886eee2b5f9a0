"""The embedded engine: any causal language model that transformers can load, in this process.

One model, one batch at a time, prompts padded on the left. See `agentic_dsl.runtime.engines.decode` for why the loop is
ours and why it stays this small.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import MissingExtraError, ModelError
from agentic_dsl.runtime.engines.base import BlockingEngine, Capabilities, EngineRequest, EngineResult, OnToken
from agentic_dsl.runtime.engines.decode import Step
from agentic_dsl.runtime.engines.local import LocalEngine
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.models import MODELS, require_model
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

DEFAULT_MODEL = "smollm2"

_SHARED_FROM = 32
"""A shared beginning of fewer tokens is not worth a pass of its own."""

_GAPS, _GAPS_FROM = 1.25, 64
"""How many times its longest row a cache may be as wide, and how many places more, before its gaps are closed."""


class TransformersEngine(BlockingEngine):
    """A model and its tokenizer, loaded once; safe to call from several threads, which then take turns.

    Greedy answers are the same alone and in a batch as far as the model's arithmetic is: padding is masked, but
    matrix products of other shapes round differently, in bfloat16 visibly. Load the model with ``dtype="float32"``
    where that matters more than memory.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        dtype: str = "bfloat16",
        device: str | None = None,
        max_batch_size: int = 8,
        mask_store: MaskStore | None = None,
        semantic: bool = True,
        jump_forward: bool = True,
    ) -> None:
        """Loads the model, which takes seconds.

        Args:
            model: an embedded model's name, a folder that transformers can load, or a hub repository; None is
                ``smollm2``.
            dtype: a floating type of torch (``bfloat16``, ``float16``, ``float32``), or ``auto``: the file's own. A
                CPU that computes in bfloat16 reads prompts faster in it than in float32; steps take about as long.
            device: a device of torch; None is the first GPU, else the CPU.
            max_batch_size: the most requests in one batch.
            mask_store: where compiled grammars are kept on disk; None is the user's cache folder.
            semantic: hold answers to all the rules while they are written; False enforces the grammar alone.
            jump_forward: append text that is forced without a pass for each of its tokens. Models whose cache cannot
                be shortened (sliding windows, states instead of keys and values) go on token by token.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ModelError: the model is missing or cannot be loaded.
            TokenizerError: its tokenizer is missing or has no end token.
        """
        name = str(model or DEFAULT_MODEL)
        location = str(require_model(name)) if name in MODELS else name
        self.model_name = name
        self.tokenizer: Tokenizer = load_tokenizer(location)
        self._model = _load_model(name, location, dtype, device)
        self._engine = LocalEngine(
            self.tokenizer,
            lambda _: ModelLogits(self._model),
            context_tokens=_context_tokens(self._model),
            max_batch_size=max_batch_size,
            mask_store=mask_store or MaskStore(),
            semantic=semantic,
            jump_forward=jump_forward,
        )

    @property
    def name(self) -> str:
        """See `Engine.name`."""
        return f"transformers/{self.model_name}"

    @property
    def context_tokens(self) -> int | None:
        """The most tokens of prompt and answer together."""
        return self._engine.context_tokens

    @property
    def capabilities(self) -> Capabilities:
        """See `Engine.capabilities`."""
        return self._engine.capabilities

    def generate(self, requests: Sequence[EngineRequest], *, on_token: OnToken | None = None) -> list[EngineResult]:
        """See `Engine.generate`."""
        return self._engine.generate(requests, on_token=on_token)


class ModelLogits:
    """A `LogitsSource`: the model and the key-value cache of one batch.

    What all prompts of the batch begin with (the system text, for equal constraints) is read once. The rest is padded
    on the left; padding is masked and positions skip it, so that it changes nothing. Rows that go on by different
    numbers of tokens are padded in the same way, and what is taken back is masked: gaps change nothing either. Keys and
    values stay where they are meanwhile (`kv_cache`).
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._cache: Any = None
        self._mask: torch.Tensor | None = None
        self.shared_tokens = 0
        """See `LogitsSource.shared_tokens`."""

    def start(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """See `LogitsSource.start`."""
        import torch

        device = self._model.device
        shared = _shared_prefix(prompts)
        if shared >= _SHARED_FROM:
            self._mask = torch.ones(1, shared, dtype=torch.long, device=device)
            self._forward(torch.tensor([prompts[0][:shared]]), self._mask.cumsum(1) - 1)
            self._cache.batch_repeat_interleave(len(prompts))
            self.shared_tokens = shared
        else:
            shared = 0
        rest = [list(prompt[shared:]) for prompt in prompts]
        longest = max(map(len, rest))
        # The padding is masked, so any token will do; 0 exists in every vocabulary.
        ids = torch.tensor([[0] * (longest - len(own)) + own for own in rest])
        mask = [[1] * shared + [0] * (longest - len(own)) + [1] * len(own) for own in rest]
        self._mask = torch.tensor(mask, device=device)
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        return self._forward(ids, positions[:, shared:])

    @property
    def takes_back(self) -> bool:
        """See `LogitsSource.takes_back`: whether the cache is nothing but keys and values of every token."""
        from agentic_dsl.runtime.engines.kv_cache import GrowingLayer

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
            return
        chosen = torch.tensor(rows, device=self._mask.device)
        self._mask = self._mask[chosen]
        self._cache.batch_select_indices(chosen)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        import torch

        from agentic_dsl.runtime.engines.kv_cache import write_in_place

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


def _shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all of several prompts begin with; every prompt keeps at least one of its own."""
    if len(prompts) < 2:
        return 0
    ordered = [tuple(prompt) for prompt in prompts]
    first, last = min(ordered), max(ordered)  # what the extremes of the order share, all share
    length = min(map(len, prompts)) - 1
    return next((at for at in range(length) if first[at] != last[at]), length)


def _load_model(name: str, location: str, dtype: str, device: str | None) -> Any:
    try:
        import torch
        import transformers

        from agentic_dsl.runtime.engines.kv_cache import read_in_place
    except ImportError as exc:
        raise MissingExtraError.of(exc.name or "transformers", "transformers") from exc
    kind = "auto" if dtype == "auto" else getattr(torch, dtype, None)
    if not (kind == "auto" or (isinstance(kind, torch.dtype) and kind.is_floating_point)):
        raise ModelError(
            f'"{dtype}" is no floating type of torch', help="name one of: bfloat16, float16, float32, auto"
        )
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with _quiet(transformers):
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                location, dtype=kind, local_files_only=Path(location).is_dir()
            )
            read_in_place(model)
        return model.to(place).eval()
    # The boundary to transformers, which raises OSError, ValueError, RuntimeError, KeyError and more for bad folders.
    except Exception as exc:
        reason = next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__
        raise ModelError(
            f'the model "{name}" cannot be loaded: {reason[:200]}',
            help="give the name of an embedded model, a folder that transformers can load, or a hub repository",
        ) from exc


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Loads without progress bars and advice on stderr, which belongs to the command line's own output."""
    logs = transformers.utils.logging
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        restore: Callable[[], None] = logs.enable_progress_bar if bars else logs.disable_progress_bar
        restore()


def _context_tokens(model: Any) -> int | None:
    """The context length that the model's configuration names, if it does."""
    config = model.config.get_text_config()
    tokens = getattr(config, "max_position_embeddings", None)
    return int(tokens) if tokens else None
