"""`SkillDetector`: a request → the skills that it needs, with what they require, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from agentic_dsl.compiler.suggestions import Suggester
from agentic_dsl.errors import UsageError
from agentic_dsl.skills.choice import Choice
from agentic_dsl.skills.detection import Detection, DropReason, Reason
from agentic_dsl.skills.embedding_ranker import EmbeddingRanker
from agentic_dsl.skills.hybrid_ranker import HybridRanker
from agentic_dsl.skills.lexical_ranker import LexicalRanker
from agentic_dsl.skills.mentions import Mentions, find_mentions
from agentic_dsl.skills.ranking import Ranker, RankerFactory
from agentic_dsl.skills.skill import Skill

RankerName = Literal["lexical", "embedding", "hybrid"]

RANKERS: dict[RankerName, RankerFactory] = {
    "lexical": LexicalRanker,
    "embedding": EmbeddingRanker,
    "hybrid": HybridRanker.of,
}
"""The rankers that there are, by name."""

DEFAULT_LIMIT = 3
"""Skills that are chosen by rank: each costs its tokens in every step of a generation."""

_HEAD, _TAIL = 12_000, 4_000
"""Characters of a long request that are read. What is asked for stands before or after what is pasted, and matching
must not take longer than the generation."""

_MOST_DROPPED = 20
"""Skills after which no more are told of that were not good enough."""


class SkillSource(Protocol):
    """Where skills come from, such as a `SkillRegistry`."""

    @property
    def skills(self) -> Sequence[Skill]:
        """The usable skills; what each requires is among them."""


class SkillDetector:
    """Chooses skills for requests.

    The index is built when it is first needed, and again when the skills of the source are others than then. Safe to
    use from several threads.
    """

    def __init__(self, source: SkillSource, *, ranker: RankerName | RankerFactory = "lexical") -> None:
        """Makes a detector.

        Args:
            source: where the skills come from; looked at again with every request.
            ranker: one of `RANKERS`, or what builds one.

        Raises:
            UsageError: there is no such ranker.
        """
        self._source = source
        self._factory = _factory(ranker)
        self._indexed: tuple[tuple[str, ...], Ranker] | None = None

    def detect(
        self,
        request: str,
        *,
        explicit: Iterable[str] = (),
        token_budget: int | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Detection:
        """The skills for a request. Skills that are asked for by name come first, whatever their score.

        Args:
            request: in the user's words; of a very long one the beginning and the end are read.
            explicit: names of skills to use in any case.
            token_budget: the most tokens that the bodies of all selected skills have together; None is no limit.
            limit: the most skills that are chosen by rank; those asked for and those required do not count.

        Raises:
            UsageError: there is no skill of an explicit name, or a number is negative.
            MissingExtraError: what the ranker needs is not installed.
        """
        for name, number in (("token_budget", token_budget), ("limit", limit)):
            if number is not None and number < 0:
                raise UsageError(f"{name} is {number}", help="give 0 or more")
        skills = tuple(self._source.skills)
        text, shortened = _read_part(request)
        ranker = self._ranker(skills)
        by_name = {skill.name: skill for skill in skills}
        asked = _known(explicit, by_name)
        mentions = find_mentions(text, by_name)
        ranked = {one.name: one for one in ranker.rank(text)} if skills else {}
        choice = Choice(by_name, ranked, token_budget)
        for name, near in mentions.unknown:
            message = f'there is no such skill; write "{near}" if that is meant'
            choice.drop(name, DropReason.UNKNOWN, message, asked_for=True)
        for name in asked:
            choice.take(name, Reason.EXPLICIT)
        for name in mentions.wanted:
            choice.take(name, Reason.MENTIONED)
        _take_ranked(choice, ranker, mentions, limit)
        return choice.detection(ranker, shortened)

    def _ranker(self, skills: Sequence[Skill]) -> Ranker:
        key = tuple(f"{skill.name} {skill.content_hash}" for skill in skills)
        indexed = self._indexed
        if indexed is None or indexed[0] != key:
            indexed = self._indexed = (key, self._factory(skills))
        return indexed[1]


def _factory(ranker: RankerName | RankerFactory) -> RankerFactory:
    if not isinstance(ranker, str):
        return ranker
    if ranker not in RANKERS:
        raise UsageError(f'there is no ranker "{ranker}"', help=f"name one of these: {', '.join(RANKERS)}")
    return RANKERS[ranker]


def _read_part(request: str) -> tuple[str, bool]:
    """The part of a request that is read, without halves of characters, and whether it is shorter."""
    shortened = len(request) > _HEAD + _TAIL
    text = f"{request[:_HEAD]}\n{request[-_TAIL:]}" if shortened else request
    return text.encode("utf-8", "replace").decode("utf-8"), shortened


def _known(explicit: Iterable[str], skills: dict[str, Skill]) -> list[str]:
    given = (explicit,) if isinstance(explicit, str) else explicit  # one name is easily given without brackets
    names = list(dict.fromkeys(name.removeprefix("$") for name in given))
    for name in names:
        if name not in skills:
            help = Suggester().help(name, skills, "run `agentic-dsl skills list` to see all")
            raise UsageError(f'there is no skill "{name}"', help=help)
    return names


def _take_ranked(choice: Choice, ranker: Ranker, mentions: Mentions, limit: int) -> None:
    """Takes the skills that the ranker found, the best first, and says of the others why not."""
    best = max((one.score for one in choice.ranked.values()), default=0.0)
    taken = 0
    least = max(ranker.threshold, ranker.share * best)
    for name, one in choice.ranked.items():
        if (one.score < least or taken == limit) and len(choice.dropped) >= _MOST_DROPPED:
            break  # none of those that follow can be chosen
        if name in choice.reasons:
            continue
        if one.score < ranker.threshold:
            choice.drop(name, DropReason.BELOW_THRESHOLD, f"score {one.score:.2f} is below {ranker.threshold:.2f}")
        elif one.score < ranker.share * best:
            message = f"score {one.score:.2f} is less than {ranker.share:g} of the best, {best:.2f}"
            choice.drop(name, DropReason.BEHIND_THE_BEST, message)
        elif unwanted := choice.needs(name, mentions.unwanted):
            message = "the request says not to use it"
            if unwanted != name:
                message = f'it requires "{unwanted}", and the request says not to use that'
            choice.drop(name, DropReason.EXCLUDED, message)
        elif taken == limit:
            choice.drop(name, DropReason.OVER_LIMIT, f"score {one.score:.2f}, and {limit} are chosen already")
        else:
            taken += choice.take(name, Reason.RANKED)
