"""`LexicalRanker`: BM25 over name, description, tags and headings.

The field weights repeat a field's terms (the simple form of BM25F), so that a term in several fields saturates as one.
A score counts *telling terms*: a term that one skill alone has, however often, gives at most 1. So a threshold means
the same for a collection of three skills and of three hundred.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import MissingExtraError
from agentic_dsl.skills.ranking import Match, Ranked, in_rank_order, search_fields
from agentic_dsl.skills.search_terms import length_in_words, search_terms, written_forms
from agentic_dsl.skills.skill import Skill

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = {"name": 3, "description": 2, "tags": 2, "headings": 1}
"""How often a term counts in each field."""

THRESHOLD, SHARE = 1.25, 0.5
"""Found on the tuning half of benchmarks/skill_queries.yaml: ``python -m benchmarks.skill_detection --tune``."""

_K1, _B = 1.2, 0.75
"""Lucene's own; on the tuning half others within 0.6–2 and 0.2–0.75 were no better than by chance."""

_LEAST_SKILLS = 32
"""A smaller collection is taken for one of this size. Among six skills a term of two would else count half as much as a
term of one, and in a collection of one skill nothing would tell at all."""

_PASSAGE, _STEP = 24, 12
"""A request is judged by its best passage of so many terms: a sum over pages of text passes any threshold."""

_DENSE = 8
"""Passages of more words count less, as eight are to theirs: what two telling terms say of six is more than what they
say of twenty-four, which in any prose are a few that match."""

_EDGE = 72
"""Terms at the beginning and at the end of a request that are looked at. What is asked for stands before or after what
is pasted; among the many passages between them one always matches something. 144 terms are about 300 words."""


class LexicalRanker:
    """BM25, explained term by term.

    Attributes:
        name: ``lexical``.
        threshold: in telling terms.
        share: of the best score.
    """

    name = "lexical"

    def __init__(self, skills: Sequence[Skill], *, threshold: float = THRESHOLD, share: float = SHARE) -> None:
        """Builds the index.

        Args:
            skills: what to rank; at most one of a name.
            threshold: the least score of a skill that is needed, in telling terms.
            share: the least part of the best score that a further skill must have.

        Raises:
            MissingExtraError: bm25s is not installed.
        """
        self.threshold, self.share = threshold, share
        self._names = tuple(skill.name for skill in skills)
        self._fields = [{field: search_terms(text) for field, text in search_fields(skill).items()} for skill in skills]
        documents = [
            [term for field, terms in fields.items() for term in terms * WEIGHTS[field]] for fields in self._fields
        ]
        self._index = _index(documents)
        count = max(len(documents), _LEAST_SKILLS)
        self._telling = _inverse_document_frequency(count)

    def rank(self, request: str) -> tuple[Ranked, ...]:
        """The skills that share a term with the request, the best first."""
        import numpy as np

        terms = search_terms(request)
        given = {term: self._scores(term) for term in dict.fromkeys(terms) if term in self._index.vocab_dict}
        if not given or not self._names:
            return ()
        passages = tuple(_passages(terms))
        densities = [min(1.0, _DENSE / length_in_words(passage)) for passage in passages]
        nothing = np.zeros(len(self._names), np.float32)
        totals = np.stack(
            [
                sum((given[term] for term in passage if term in given), nothing) * density
                for passage, density in zip(passages, densities, strict=True)
            ]
        )
        best = totals.argmax(axis=0)
        written = written_forms(request)
        ranked = []
        for at in totals.max(axis=0).nonzero()[0].tolist():
            passage, density = passages[best[at]], densities[best[at]]
            shares = [(term, float(given[term][at]) * density) for term in passage if term in given]
            ranked.append(Ranked(self._names[at], float(totals[best[at], at]), self._matches(at, shares, written)))
        return in_rank_order(ranked)

    def _scores(self, term: str) -> NDArray[np.float32]:
        """What a term gives each skill."""
        scores: NDArray[np.float32] = self._index.get_scores([term])[: len(self._names)]
        return scores / self._telling

    def _matches(self, at: int, shares: Sequence[tuple[str, float]], written: Mapping[str, str]) -> tuple[Match, ...]:
        fields = self._fields[at]
        matches = [
            Match(written[term], share, tuple(field for field in WEIGHTS if term in fields[field]))
            for term, share in shares
            if share > 0
        ]
        return tuple(sorted(matches, key=lambda match: (-match.score, match.what)))


def _passages(terms: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Overlapping passages, each with every term once: saying a word twice does not ask for more."""
    edges = (terms,) if len(terms) <= 2 * _EDGE else (terms[:_EDGE], terms[-_EDGE:])
    for edge in edges:
        last = max(len(edge) - _PASSAGE, 0)
        for start in (*range(0, last, _STEP), last):
            yield tuple(dict.fromkeys(edge[start : start + _PASSAGE]))


def _inverse_document_frequency(count: int) -> float:
    """Lucene's, of a term that one of ``count`` documents has."""
    return math.log(1 + (count - 1 + 0.5) / (1 + 0.5))


def _index(documents: list[list[str]]) -> Any:
    try:
        import bm25s
    except ImportError as exc:
        raise MissingExtraError.of("bm25s", "skills") from exc
    length = sum(map(len, documents)) // max(len(documents), 1)
    # Documents without a word that anybody can search for; of average length, so that they change no other score.
    filler = [["\0"] * max(length, 1)] * (_LEAST_SKILLS - len(documents))
    index = bm25s.BM25(method="lucene", k1=_K1, b=_B)
    index.index(documents + filler, show_progress=False)
    return index
