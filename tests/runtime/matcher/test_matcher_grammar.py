"""The grammar is no narrower than the matcher: what the matcher allows, the grammar allows."""

import random

import numpy as np
import pytest

from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.errors import ConstraintError
from agentic_dsl.runtime.masks import MaskCompiler, allocate_bitmask
from agentic_dsl.runtime.matcher.frames import feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.tokenizer import load_tokenizer
from benchmarks.constraint_sets import sample

pytestmark = pytest.mark.masks

TOKENIZER = load_tokenizer("bytes")


@pytest.fixture(scope="module")
def compiler():
    return MaskCompiler(TOKENIZER)


@pytest.mark.parametrize("seed", range(2_000, 2_040, 5))
def test_at_every_byte_of_a_walk_the_grammar_allows_what_the_matcher_allows(compiler, seed):
    for number in range(seed, seed + 5):
        rng = random.Random(number)
        try:
            plan = Plan.of(sample(rng))
        except ConstraintError:
            continue
        grammar = compiler.compile(emit_xgrammar(lower(plan.constraints))).matcher()
        bitmask = allocate_bitmask(1, TOKENIZER.vocab_size)
        frame = start(plan)
        for _ in range(rng.randrange(200, 1_200)):
            if frame.is_final:
                break
            grammar.fill_bitmask(bitmask, 0)
            bits = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")
            following = frame.allowed()
            assert all(bits[byte] for byte in following)
            byte = rng.choices(following, [6 if byte in b'"}])\n' else 1 for byte in following])[0]
            frame = feed(frame, bytes([byte]))
            assert grammar.accept(byte)
        for byte in finish(frame):
            assert grammar.accept(byte)
        assert grammar.accept(TOKENIZER.eos_token_ids[0])
