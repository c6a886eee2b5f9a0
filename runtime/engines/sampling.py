"""Choosing a token: temperature, top-k, top-p, and a random number from the request's own generator.

Each row is sampled alone, with one uniform number a token from a generator on the CPU. So a seed gives the same
tokens whatever else is in the batch and wherever the model runs, as far as its logits are the same.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from agentic_dsl.runtime.engines.base import Sampling

if TYPE_CHECKING:
    import torch

_LARGEST_SEED = (1 << 63) - 1


def generator_for(sampling: Sampling) -> torch.Generator:
    """A new random number generator, started at the request's seed."""
    import torch

    seed = sampling.seed if sampling.seed is not None else secrets.randbelow(_LARGEST_SEED)
    return torch.Generator(device="cpu").manual_seed(seed & _LARGEST_SEED)


def choose(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """The next token of one row.

    Args:
        logits: shape (vocabulary,), minus infinity where a token is not allowed.
        sampling: how to choose.
        generator: advanced by one number, unless the temperature is 0.
    """
    import torch

    if sampling.temperature == 0.0:
        return int(logits.argmax())
    uniform = float(torch.rand((), generator=generator, dtype=torch.float64))
    # Likeliest first, ties in the order of ids, so that the same number picks the same token on every device.
    values, ids = logits.double().sort(descending=True, stable=True)
    if sampling.top_k:
        values, ids = values[: sampling.top_k], ids[: sampling.top_k]
    values, ids = values[values > -torch.inf], ids[: int((values > -torch.inf).sum())]
    if not len(values):
        return int(logits.argmax())
    cumulative = ((values - values[0]) / sampling.temperature).softmax(0).cumsum(0)
    # The first tokens whose probabilities reach top_p, the one that reaches it included.
    kept = int((cumulative < sampling.top_p).sum()) + 1
    cumulative = cumulative[:kept]
    position = int(torch.searchsorted(cumulative, uniform * float(cumulative[-1]), right=True))
    return int(ids[min(position, len(cumulative) - 1)])
