"""`HybridRanker`: several rankers as one, by reciprocal rank fusion.

Scores of different rankers cannot be compared, ranks can: a skill gets 1/(60 + rank) from each ranker that takes it for
needed. (Cormack, Clarke, Büttcher: Reciprocal rank fusion, SIGIR 2009.)
"""

from __future__ import annotations

from collections.abc import Sequence

from agentic_dsl.skills.embedding_ranker import EmbeddingRanker
from agentic_dsl.skills.lexical_ranker import LexicalRanker
from agentic_dsl.skills.ranking import Match, Ranked, Ranker, in_rank_order
from agentic_dsl.skills.skill import Skill

_DAMPING = 60
"""The constant of the paper: how little the first rank counts more than the second."""

LEXICAL_THRESHOLD, EMBEDDING_THRESHOLD, SHARE = 1.3, 0.45, 0.95
"""Found on the tuning half of benchmarks/skill_queries.yaml: ``python -m benchmarks.skill_detection --tune``."""


class HybridRanker:
    """Reciprocal rank fusion.

    Attributes:
        name: ``hybrid``.
        threshold: 0, for each ranker has its own.
        share: of the best score.
    """

    name = "hybrid"
    threshold = 0.0

    def __init__(self, rankers: Sequence[Ranker], *, share: float = SHARE) -> None:
        """Joins rankers.

        Args:
            rankers: at least one, all over the same skills; a skill below the threshold of one gets nothing from it.
            share: the least part of the best score that a further skill must have.
        """
        self.rankers = tuple(rankers)
        self.share = share

    @classmethod
    def of(cls, skills: Sequence[Skill]) -> HybridRanker:
        """The lexical ranker and the embeddings together.

        Raises:
            MissingExtraError: bm25s or wordllama is not installed.
        """
        lexical = LexicalRanker(skills, threshold=LEXICAL_THRESHOLD)
        return cls((lexical, EmbeddingRanker(skills, threshold=EMBEDDING_THRESHOLD)))

    def rank(self, request: str) -> tuple[Ranked, ...]:
        """The skills that one of the rankers takes for needed; a score of 1 is the first rank with all."""
        best = len(self.rankers) / (_DAMPING + 1)
        matches: dict[str, list[Match]] = {}
        for ranker in self.rankers:
            for rank, one in enumerate(ranker.rank(request), start=1):
                if one.score >= ranker.threshold:
                    words = f"number {rank} of the {ranker.name} ranker ({_words(one)})"
                    matches.setdefault(one.name, []).append(Match(words, 1 / (_DAMPING + rank) / best))
        return in_rank_order(
            [Ranked(name, sum(match.score for match in found), tuple(found)) for name, found in matches.items()]
        )


def _words(one: Ranked) -> str:
    """The weightiest reasons of a part, in one line."""
    return ", ".join(f"{match.what} {match.score:.2f}" for match in one.matches[:3])
