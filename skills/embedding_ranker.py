"""`EmbeddingRanker`: how close a request's meaning is to a skill's description, by an embedding of both.

The default model is WordLlama's: 256 numbers a token, averaged over the text. It lies in the package itself, so
nothing is fetched. It knows English; of other scripts it knows little.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agentic_dsl.errors import MissingExtraError, ModelError
from agentic_dsl.skills.ranking import Match, Ranked, in_rank_order
from agentic_dsl.skills.skill import Skill

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLD, SHARE = 0.235, 0.8
"""Found on the tuning half of benchmarks/skill_queries.yaml: ``python -m benchmarks.skill_detection --tune``."""


class Embedder(Protocol):
    """Turns texts into vectors."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of shape (texts, dimensions), not yet normalised."""


class EmbeddingRanker:
    """Cosine similarity of request and description.

    Attributes:
        name: ``embedding``.
        threshold: the least similarity of a skill that is needed, from 0 to 1.
        share: of the best similarity.
    """

    name = "embedding"

    def __init__(
        self,
        skills: Sequence[Skill],
        *,
        embed: Embedder | None = None,
        threshold: float = THRESHOLD,
        share: float = SHARE,
    ) -> None:
        """Embeds the skills.

        Args:
            skills: what to rank.
            embed: turns texts into vectors; WordLlama's model without it.
            threshold: the least similarity of a skill that is needed.
            share: the least part of the best similarity that a further skill must have.

        Raises:
            MissingExtraError: wordllama is not installed.
            ModelError: its model cannot be loaded.
        """
        self.threshold, self.share = threshold, share
        self._names = tuple(skill.name for skill in skills)
        self._embed = embed or word_llama()
        self._rows = self._directions([_described(skill) for skill in skills]) if skills else None

    def rank(self, request: str) -> tuple[Ranked, ...]:
        """The skills whose description points the same way as the request, the closest first."""
        if self._rows is None or not request.strip():
            return ()
        similarities = (self._rows @ self._directions([request])[0]).tolist()
        return in_rank_order(
            [
                Ranked(name, score, (Match("the meaning of the whole request", score, ("name", "description")),))
                for name, score in zip(self._names, similarities, strict=True)
                if score > 0
            ]
        )

    def _directions(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows of length 1; a text that the model has no vector for stays 0, which is like nothing."""
        import numpy as np

        rows = np.nan_to_num(np.asarray(self._embed(texts), dtype=np.float32))
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        directions: NDArray[np.float32] = rows / np.where(lengths > 0, lengths, 1)
        return directions


def _described(skill: Skill) -> str:
    return f"{skill.name.replace('-', ' ')}. {skill.description}"


@lru_cache(maxsize=1)
def word_llama() -> Embedder:
    """WordLlama's model of 256 dimensions, from the files of its package. No network is used.

    Raises:
        MissingExtraError: wordllama is not installed.
        ModelError: the files of the package cannot be read.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        import wordllama
    except ImportError as exc:
        raise MissingExtraError.of("wordllama", "embeddings") from exc
    finally:
        # The package sets up the root logger when it is imported, which is the application's to do.
        root.handlers[:] = handlers
        root.setLevel(level)
    try:
        # Its loader looks for the tokenizer in "tokenizer/", where the package has "tokenizers/", and would fetch it.
        # The folder of a cache has the right name, so the package itself is given as the cache.
        folder = Path(wordllama.__file__).parent
        model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    except Exception as exc:
        raise ModelError(
            f"the model of the package wordllama cannot be loaded: {exc}", help="install wordllama again"
        ) from exc

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = model.embed(list(texts))
        return rows

    return embed
