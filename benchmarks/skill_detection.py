"""Which skills a request needs, per ranker, on labelled requests: ``python -m benchmarks.skill_detection``.

The figures are those of the held-out half. ``--tune`` finds thresholds on the other half, ``--misses`` lists what the
lexical ranker gets wrong on the other half. Baseline: a skill is chosen where its name or one of its tags stands in the
request, as plain text.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agentic_dsl.skills.detector import RANKERS, SkillDetector
from agentic_dsl.skills.embedding_ranker import EmbeddingRanker
from agentic_dsl.skills.hybrid_ranker import HybridRanker
from agentic_dsl.skills.lexical_ranker import LexicalRanker
from agentic_dsl.skills.ranking import Ranked, Ranker
from agentic_dsl.skills.registry import SkillRegistry
from agentic_dsl.skills.skill import Skill
from benchmarks.measure import heading, markdown_table, timed
from benchmarks.skill_queries import LIBRARY, Query, load_queries

Choose = Callable[[str], frozenset[str]]
"""A request → the names of the skills for it, those that they require aside."""

HEADER = ("ranker", "precision", "recall", "F1", "all right", "false alarms")
_SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class Score:
    """How often a choice was right, over requests.

    Attributes:
        hits: skills that were rightly chosen.
        chosen: skills that were chosen.
        right: skills that should have been.
        exact: requests with exactly the right skills.
        alarms: requests that need no skill and got one.
        requests: how many there were.
        idle: how many of them need no skill.
    """

    hits: int
    chosen: int
    right: int
    exact: int
    alarms: int
    requests: int
    idle: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, over all skills of all requests."""
        return 2 * self.hits / max(self.chosen + self.right, 1)

    def cells(self) -> tuple[str, ...]:
        """The columns of the table behind the name."""
        return (
            f"{self.hits / max(self.chosen, 1):.3f}",
            f"{self.hits / max(self.right, 1):.3f}",
            f"{self.f1:.3f}",
            f"{self.exact} of {self.requests}",
            f"{self.alarms} of {self.idle}",
        )


def score(queries: Sequence[Query], choices: Sequence[frozenset[str]]) -> Score:
    """Compares what was chosen with what is right."""
    pairs = [(query.skills, chosen) for query, chosen in zip(queries, choices, strict=True)]
    return Score(
        hits=sum(len(right & chosen) for right, chosen in pairs),
        chosen=sum(len(chosen) for _, chosen in pairs),
        right=sum(len(right) for right, _ in pairs),
        exact=sum(right == chosen for right, chosen in pairs),
        alarms=sum(not right and bool(chosen) for right, chosen in pairs),
        requests=len(pairs),
        idle=sum(not right for right, _ in pairs),
    )


def by_detector(detector: SkillDetector) -> Choose:
    """What a detector chooses by rank."""

    def choose(request: str) -> frozenset[str]:
        found = detector.detect(request)
        return frozenset(one.skill.name for one in found.selected if one.reason.value == "ranked")

    return choose


def by_keywords(skills: Sequence[Skill]) -> Choose:
    """The baseline: name or tag as plain text."""
    words = {skill.name: (skill.name.replace("-", " "), *skill.tags) for skill in skills}

    def choose(request: str) -> frozenset[str]:
        text = request.casefold()
        return frozenset(name for name, tags in words.items() if any(tag.casefold() in text for tag in tags))

    return choose


def results(queries: Sequence[Query], registry: SkillRegistry) -> Iterator[tuple[str, Score]]:
    """The score of each way to choose."""
    ways: dict[str, Choose] = {"no skill, ever": lambda _: frozenset(), "keywords": by_keywords(registry.skills)}
    ways |= {name: by_detector(SkillDetector(registry, ranker=name)) for name in RANKERS}
    for name, choose in ways.items():
        yield name, score(queries, [choose(query.request) for query in queries])


def results_by_kind(queries: Sequence[Query], registry: SkillRegistry) -> Iterator[tuple[str, ...]]:
    """Rows of F1 per kind of request, each with how many requests that are."""
    kinds = {
        kind: [query for query in queries if query.kind == kind] for kind in ("English", "Chinese, Japanese", "long")
    }
    scores = {kind: dict(results(group, registry)) for kind, group in kinds.items()}
    yield ("ranker", *(f"{kind} ({len(group)})" for kind, group in kinds.items()))
    for name in ("keywords", *RANKERS):
        yield (name, *(f"{scores[kind][name].f1:.3f}" for kind in kinds))


def best_settings(ranker: Ranker, queries: Sequence[Query], thresholds: Sequence[float]) -> tuple[float, float, Score]:
    """Threshold and share with the best F1; of equal ones the highest threshold, then the highest share."""
    ranked = [ranker.rank(query.request) for query in queries]
    found = [
        (score(queries, [_chosen(ones, threshold, share) for ones in ranked]), threshold, share)
        for threshold, share in itertools.product(thresholds, _SHARES)
    ]
    best, threshold, share = max(found, key=lambda one: (one[0].f1, one[1], one[2]))
    return threshold, share, best


def _chosen(ones: Sequence[Ranked], threshold: float, share: float) -> frozenset[str]:
    best = max((one.score for one in ones), default=0.0)
    return frozenset(one.name for one in ones[:3] if one.score >= max(threshold, share * best))


def tune(queries: Sequence[Query], skills: Sequence[Skill]) -> None:
    """Prints the best settings of each ranker on some queries."""
    rows = []
    for ranker, thresholds in (
        (LexicalRanker(skills), [number / 20 for number in range(10, 50)]),
        (EmbeddingRanker(skills), [number / 200 for number in range(20, 100)]),
    ):
        threshold, share, best = best_settings(ranker, queries, thresholds)
        rows.append((f"{ranker.name}: threshold {threshold:.3f}, share {share}", *best.cells()))
    found = []
    for lexical, embedding in itertools.product((1, 1.1, 1.2, 1.3, 1.5, 2), (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)):
        parts = (LexicalRanker(skills, threshold=lexical), EmbeddingRanker(skills, threshold=embedding))
        _, share, best = best_settings(HybridRanker(parts), queries, [0.0])
        found.append((best.f1, f"hybrid: thresholds {lexical:.2f} and {embedding:.2f}, share {share}", best))
    _, words, best = max(found, key=lambda one: one[:2])
    rows.append((words, *best.cells()))
    print(markdown_table(HEADER, rows))


def misses(queries: Sequence[Query], choose: Choose) -> None:
    """Prints each request that got other skills than it should."""
    for query in queries:
        if (chosen := choose(query.request)) != query.skills:
            print(f"{query.request[:90]}\n  right: {sorted(query.skills)}  chosen: {sorted(chosen)}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tune", action="store_true", help="find thresholds on the tuning half")
    parser.add_argument("--misses", action="store_true", help="list what is wrong on the tuning half")
    arguments = parser.parse_args()
    registry = SkillRegistry.load([LIBRARY])
    queries = load_queries()
    tuning = [query for query in queries if not query.held_out]
    if arguments.tune:
        tune(tuning, registry.skills)
    elif arguments.misses:
        misses(tuning, by_detector(SkillDetector(registry)))
    else:
        held_out = [query for query in queries if query.held_out]
        print(heading("Skill detection", "bm25s", "wordllama", "numpy"), end="\n\n")
        print(f"{len(held_out)} held-out requests of {len(queries)}, {len(registry.skills)} skills\n")
        print(markdown_table(HEADER, ((name, *result.cells()) for name, result in results(held_out, registry))))
        header, *rows = results_by_kind(held_out, registry)
        print("\nF1 by kind of request\n")
        print(markdown_table(header, rows))
        for name in RANKERS:
            detector = SkillDetector(registry, ranker=name)
            detector.detect("warm up")
            print(f"\n{name}: {timed(detector.detect, [query.request for query in held_out]).text()} a request")


if __name__ == "__main__":
    main()
