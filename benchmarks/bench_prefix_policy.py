"""Typed eviction against plain LRU at the same memory: ``python -m benchmarks.bench_prefix_policy``.

What counts is tokens recomputed: tokens of prompts that were computed before and are not there any more. What is
computed for the first time is the same for all. The order of the typed policy was chosen on seeds 100 and 101; the
table is of others. A token is one byte here, so memory is in tokens.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agentic_dsl.runtime.prefix_cache.history import SeenPrefixes
from agentic_dsl.runtime.prefix_cache.payload import CountedPayload
from agentic_dsl.runtime.prefix_cache.policy import Candidate, EvictionPolicy, LruPolicy, TypedPolicy
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache
from agentic_dsl.runtime.prefix_cache.statistics import KindStatistics
from agentic_dsl.skills.segments import SegmentKind
from benchmarks.measure import heading, markdown_table
from benchmarks.prefix_workload import Closed, Event, Opened, Parameters, Request, Workload

SEEDS = (0, 1, 2, 3, 4)
SHARES = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
HEADLINE = 0.5
"""The share of the working set that the target is about: half of what is in use fits."""

TARGET = 0.25
"""Least part of LRU's recomputed tokens that the typed policy saves."""

WINDOW = 200
"""Requests whose distinct tokens are the working set."""

_EVERYTHING = 1 << 60


class StrictOrder(LruPolicy):
    """Kinds in a strict order and the last use within a kind: the obvious policy, for comparison."""

    def priority(self, run: Candidate) -> tuple[float, ...]:
        """The rank of the kind first."""
        return (_STRICT.index(run.kind), run.used, -run.start)


_STRICT = (
    SegmentKind.QUESTION,
    SegmentKind.REASONING_BRANCH,
    SegmentKind.EXECUTION_CHECKPOINT,
    SegmentKind.CONTEXT,
    SegmentKind.SKILL,
    SegmentKind.TOOL_DEFINITION,
    SegmentKind.SYSTEM_PROMPT,
)


@dataclass(frozen=True)
class Contender:
    """A policy, and whether it is told of programs."""

    name: str
    policy: Callable[[], EvictionPolicy]
    programs: bool


BASELINE = Contender("LRU", LruPolicy, programs=False)
TYPED = Contender("typed", TypedPolicy, programs=True)
OTHERS = (
    Contender("typed, not told of programs", TypedPolicy, programs=False),
    Contender("LRU, checkpoints pinned", LruPolicy, programs=True),
    Contender("strict order of kinds", StrictOrder, programs=True),
)


def play(events: Iterable[Event], contender: Contender, capacity: int) -> KindStatistics:
    """What a cache of so many tokens did over these events."""
    cache: PrefixCache[CountedPayload] = PrefixCache(capacity, contender.policy(), remembered_tokens=_EVERYTHING)
    programs: dict[int, int] = {}
    for event in events:
        match event:
            case Opened(number) if contender.programs:
                programs[number] = cache.open_program()
            case Closed(number) if contender.programs:
                cache.close_program(programs.pop(number))
            case Request():
                program = programs.get(event.program)
                with cache.acquire(event.tokens[: event.prompt], program=program):
                    cache.insert(event.tokens, _counted, event.spans, program=program)
    return cache.statistics().total


def _counted(start: int, end: int) -> CountedPayload:
    return CountedPayload(end - start)


def working_set(requests: Sequence[Request]) -> int:
    """Distinct tokens of `WINDOW` requests in a row: the median over the run."""
    windows = [requests[start : start + WINDOW] for start in range(0, max(1, len(requests) - WINDOW), WINDOW)]
    return round(statistics.median(_distinct(window) for window in windows))


def _distinct(requests: Sequence[Request]) -> int:
    seen = SeenPrefixes(limit=_EVERYTHING)
    return sum(len(request.tokens) - seen.add(request.tokens) for request in requests)


@dataclass(frozen=True)
class Scene:
    """One seed's events."""

    events: list[Event]
    working_set: int

    def recomputed(self, contender: Contender, share: float) -> int:
        """Tokens recomputed with this share of the working set as memory."""
        return play(self.events, contender, round(self.working_set * share)).tokens_recomputed


def scene(parameters: Parameters, seed: int) -> Scene:
    """Makes the events of a seed."""
    events = list(Workload(parameters, seed).events())
    return Scene(events, working_set([event for event in events if isinstance(event, Request)]))


def saved(ours: int, baseline: int) -> float:
    """The part of the baseline's recomputed tokens that is not recomputed."""
    return 1 - ours / baseline if baseline else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; 1 where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=Parameters.programs)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES)
    options = parser.parse_args(arguments)
    parameters = Parameters(programs=options.programs)
    print(heading("Eviction by type of segment"), end="\n\n")
    print(", ".join(f"{name} {value}" for name, value in dataclasses.asdict(parameters).items()), end="\n\n")
    scenes = [scene(parameters, seed) for seed in options.seeds]
    print(_facts(scenes, options.seeds), end="\n\n")
    baseline = {share: [each.recomputed(BASELINE, share) for each in scenes] for share in options.shares}
    rows, headline = [], 0.0
    for share in options.shares:
        lru, cells = baseline[share], []
        for contender in (TYPED, *OTHERS):
            parts = [saved(each.recomputed(contender, share), old) for each, old in zip(scenes, lru, strict=True)]
            cells.append(_spread(parts))
            if contender is TYPED and share == HEADLINE:
                headline = statistics.median(parts)
        rows.append((f"{share:.0%}", f"{statistics.median(lru):,.0f}", *cells))
    names = (contender.name for contender in (TYPED, *OTHERS))
    print(markdown_table(("memory / working set", "LRU recomputes", *names), rows))
    if HEADLINE not in options.shares:
        return 0
    print(f"\nat {HEADLINE:.0%}: {headline:.0%} fewer recomputed tokens than LRU (target {TARGET:.0%})")
    return int(headline < TARGET)


def _facts(scenes: Sequence[Scene], seeds: Sequence[int]) -> str:
    requests = [event for each in scenes for event in each.events if isinstance(event, Request)]
    with_skills = sum(any(span.kind is SegmentKind.SKILL for span in request.spans) for request in requests)
    prompt = statistics.mean(request.prompt for request in requests)
    sizes = ", ".join(f"{each.working_set:,}" for each in scenes)
    return (
        f"{len(requests):,} requests over the seeds {', '.join(map(str, seeds))}; "
        f"{with_skills / len(requests):.0%} carry skills; a prompt has {prompt:,.0f} tokens; "
        f"working sets ({WINDOW} requests): {sizes} tokens"
    )


def _spread(parts: Sequence[float]) -> str:
    """Median and range of what was saved; a minus says that more was recomputed."""
    return f"{statistics.median(parts):+.0%} ({min(parts):+.0%} to {max(parts):+.0%})"


if __name__ == "__main__":
    sys.exit(main())
