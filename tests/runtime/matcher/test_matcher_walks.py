"""Random walks: whatever is chosen, the answer is complete, within its budget and valid."""

import random

import pytest

from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.tokenizer import load_tokenizer
from benchmarks.constraint_sets import sample
from benchmarks.random_walks import judge, run

STEPS = 400
"""Bytes that a walk makes up before the completion policy ends it."""


def _plan(seed: int) -> Plan | None:
    try:
        return Plan.of(sample(random.Random(seed)))
    except ConstraintError:
        return None


@pytest.mark.parametrize("seed", range(0, 120, 10))
def test_from_every_byte_the_completion_is_allowed_valid_and_prefix_consistent(seed):
    rng = random.Random(seed)
    for plan in filter(None, map(_plan, range(seed, seed + 10))):
        frame, text = start(plan), bytearray()
        boosted = rng.random() < 0.5
        for at in range(STEPS):
            if frame.is_final:
                break
            following = frame.allowed()
            assert following, f"dead end after {bytes(text[-100:])}"
            weights = [6 if boosted and byte in b'"}])\n' else 1 for byte in following]
            byte = rng.choices(following, weights)[0]
            frame, before = frame.step(byte), frame
            assert frame is not None
            text.append(byte)
            if at % 40 == 0:
                rest = finish(before)
                assert feed(before, rest).is_final
                cut = rng.randrange(len(rest)) if rest else 0
                assert finish(feed(before, rest[:cut])) == rest[cut:]
                judge(bytes(text[:-1]) + rest, plan.constraints)
        judge(bytes(text) + finish(frame), plan.constraints)


def test_answers_of_random_tokens_within_tight_budgets_are_valid():
    tally = run(load_tokenizer("bytes"), 40, seed=1_000)
    assert tally.walks == 40
