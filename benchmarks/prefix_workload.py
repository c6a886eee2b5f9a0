"""The prompts of many agent programs at once, made from stated parameters: what prefix caches are measured with.

A program has a system prompt, the tools of its role, perhaps skills, a context and a question. It plans, forks into
branches, each of which calls tools and may delegate to a program of another role; when all are back, it joins. Every
request's prompt begins with everything that its program, or its branch, said before. Token ids are random: only which
prompts begin alike matters.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.skills.segments import SegmentKind

Range = tuple[int, int]


@dataclass(frozen=True)
class Parameters:
    """What agents do, chosen from how they are built before any policy was measured.

    Attributes:
        programs: top-level programs in all.
        concurrent: top-level programs that run at once; tools and people take time, so their requests interleave.
        roles: kinds of agents, each with tools of its own; the first is the most usual (Zipf, exponent 1).
        skills: in the registry; use is Zipf-like too, as with any library.
        skill_share: programs that need skills; all requests of such a program carry them.
        skills_each: how many such a program needs.
        sessions: share of programs that go on in the context of an earlier one (the prefix overlap of contexts).
        recent: how many contexts are still alive as sessions.
        fork_rate: share of programs that fork.
        branches: of each fork.
        tool_call_rate: chance, after each step of a branch, of a tool call and so of another step.
        delegation_rate: chance that a branch delegates, while the depth allows.
        delegation_depth: how deep delegation goes.
        system_tokens: of the one system prompt.
        tool_tokens: of a role's tool definitions; ten tools of 60 to 200 tokens.
        skill_tokens: of a skill; the public limit is 5,000.
        context_tokens: of a context: files, memory, notes.
        question_tokens: of a question or a delegated task.
        plan_tokens: of a plan, the state that branches start from.
        step_tokens: that a branch writes in one step.
        result_tokens: that a tool gives back.
    """

    programs: int = 400
    concurrent: int = 8
    roles: int = 4
    skills: int = 16
    skill_share: float = 0.2
    skills_each: Range = (1, 2)
    sessions: float = 0.3
    recent: int = 12
    fork_rate: float = 0.5
    branches: int = 3
    tool_call_rate: float = 0.6
    delegation_rate: float = 0.15
    delegation_depth: int = 2
    system_tokens: int = 400
    tool_tokens: Range = (600, 2000)
    skill_tokens: Range = (1500, 4500)
    context_tokens: Range = (300, 1500)
    question_tokens: Range = (40, 160)
    plan_tokens: Range = (100, 300)
    step_tokens: Range = (50, 200)
    result_tokens: Range = (50, 600)


@dataclass(frozen=True)
class Request:
    """One call of the model: prompt and answer together, since both leave keys and values behind.

    Attributes:
        tokens: prompt and answer.
        prompt: how many of them are the prompt.
        spans: what they are for.
        program: whose request it is.
    """

    tokens: array[int]
    prompt: int
    spans: tuple[Span, ...]
    program: int


@dataclass(frozen=True)
class Opened:
    """A program begins."""

    program: int


@dataclass(frozen=True)
class Closed:
    """A program is over."""

    program: int


Event = Request | Opened | Closed
Course = Iterator["Event | tuple[Course, ...]"]
"""What a program does, step by step; a tuple of courses is a fork, which it waits for."""


@dataclass(frozen=True)
class Text:
    """Tokens with their spans, to which more is added."""

    tokens: array[int]
    spans: tuple[Span, ...] = ()

    def then(self, piece: array[int], kind: SegmentKind, name: str = "") -> Text:
        """This text and one more segment."""
        start = len(self.tokens)
        return Text(self.tokens + piece, (*self.spans, Span(start, start + len(piece), kind, name)))


@dataclass(eq=False)
class _Thread:
    """A course that runs: a program or a branch, which waits while branches of its own are away."""

    course: Course
    parent: _Thread | None = None
    away: int = 0

    def is_back(self) -> bool:
        """One more branch is back; whether that was the last."""
        self.away -= 1
        return self.away == 0


@dataclass
class Workload:
    """Makes the events of one seed."""

    parameters: Parameters
    seed: int
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        given = self.parameters
        self._ids = count()
        self._system = self._made((given.system_tokens, given.system_tokens))
        self._tools = [self._made(given.tool_tokens) for _ in range(given.roles)]
        self._skills = [self._made(given.skill_tokens) for _ in range(given.skills)]
        self._contexts: list[array[int]] = []

    def events(self) -> Iterator[Event]:
        """Everything that happens, in order: of what could go on, something random goes on next."""
        to_come = self.parameters.programs
        running: list[_Thread] = []
        tops = 0
        while to_come or running:
            while to_come and tops < self.parameters.concurrent:
                running.append(_Thread(self._program(0, None)))
                to_come, tops = to_come - 1, tops + 1
            thread = running[self._random.randrange(len(running))]
            match next(thread.course, None):
                case None:
                    running.remove(thread)
                    if thread.parent is None:
                        tops -= 1
                    elif thread.parent.is_back():
                        running.append(thread.parent)
                case tuple() as branches:
                    running.remove(thread)
                    thread.away = len(branches)
                    running.extend(_Thread(course, thread) for course in branches)
                case event:
                    yield event

    def _program(self, depth: int, task: array[int] | None) -> Course:
        program = next(self._ids)
        yield Opened(program)
        text = self._beginning(task)
        if self._random.random() < self.parameters.fork_rate:
            yield from self._fork(text, program, depth)
        else:
            yield from self._steps(text, program, "answer")
        yield Closed(program)

    def _fork(self, text: Text, program: int, depth: int) -> Course:
        given = self.parameters
        planned = text.then(self._made(given.plan_tokens), SegmentKind.EXECUTION_CHECKPOINT, f"plan-{program}")
        yield Request(planned.tokens, len(text.tokens), planned.spans, program)
        found: list[array[int]] = []
        yield tuple(self._branch(planned, program, depth, number, found) for number in range(given.branches))
        joined = planned
        for piece in found:
            joined = joined.then(piece, SegmentKind.CONTEXT, "joined")
        answer = joined.then(self._made(given.step_tokens), SegmentKind.REASONING_BRANCH, "join")
        yield Request(answer.tokens, len(joined.tokens), answer.spans, program)

    def _branch(self, text: Text, program: int, depth: int, number: int, found: list[array[int]]) -> Course:
        given, name = self.parameters, f"branch-{number}"
        text = text.then(self._made(given.question_tokens), SegmentKind.REASONING_BRANCH, name)
        if depth < given.delegation_depth and self._random.random() < given.delegation_rate:
            step = text.then(self._made(given.step_tokens), SegmentKind.REASONING_BRANCH, name)
            yield Request(step.tokens, len(text.tokens), step.spans, program)
            yield (self._program(depth + 1, self._made(given.question_tokens)),)
            text = step.then(self._made(given.result_tokens), SegmentKind.REASONING_BRANCH, name)
        yield from self._steps(text, program, name)
        found.append(self._made(given.result_tokens))

    def _steps(self, text: Text, program: int, name: str) -> Course:
        """Writes, calls a tool, reads its result, and so on."""
        given = self.parameters
        while True:
            step = text.then(self._made(given.step_tokens), SegmentKind.REASONING_BRANCH, name)
            yield Request(step.tokens, len(text.tokens), step.spans, program)
            if self._random.random() >= given.tool_call_rate:
                return
            text = step.then(self._made(given.result_tokens), SegmentKind.REASONING_BRANCH, name)

    def _beginning(self, task: array[int] | None) -> Text:
        """Everything before a program's first word."""
        given = self.parameters
        role = self._zipf(given.roles)
        text = Text(array("i")).then(self._system, SegmentKind.SYSTEM_PROMPT)
        text = text.then(self._tools[role], SegmentKind.TOOL_DEFINITION, f"role-{role}")
        if self._random.random() < given.skill_share:
            wanted = {self._zipf(given.skills) for _ in range(self._random.randint(*given.skills_each))}
            for skill in sorted(wanted):  # in a stable order, so that prefixes repeat
                text = text.then(self._skills[skill], SegmentKind.SKILL, f"skill-{skill}")
        if task is None:
            text = text.then(self._context(), SegmentKind.CONTEXT)
        return text.then(task or self._made(given.question_tokens), SegmentKind.QUESTION)

    def _context(self) -> array[int]:
        recent = self._contexts[-self.parameters.recent :]
        if recent and self._random.random() < self.parameters.sessions:
            return self._random.choice(recent)
        self._contexts.append(self._made(self.parameters.context_tokens))
        return self._contexts[-1]

    def _zipf(self, number: int) -> int:
        return self._random.choices(range(number), [1 / (rank + 1) for rank in range(number)])[0]

    def _made(self, size: Range) -> array[int]:
        return array("i", self._random.choices(range(50_000), k=self._random.randint(*size)))
