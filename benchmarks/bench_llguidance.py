"""llguidance beside xgrammar: ``python -m benchmarks.bench_llguidance [TOKENIZER…]``.

Both back ends get the same grammar, each in its dialect, and read the same texts token by token; they allow the same
tokens at each step, or the run stops. The last lines are llguidance's grammar with parameters, which admits
only graphs.

Steps are in processor time: on a busy machine a pause of the scheduler would pass for a slow mask.
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from agentic_dsl.compiler.grammar.emit_llguidance import emit_llguidance
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.grammar.parametric import emit_parametric
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler
from agentic_dsl.runtime.masks import MaskCompiler, allocate_bitmask
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.models import MODELS, model_path
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from benchmarks.documents import block
from benchmarks.measure import heading, timed

PATH = "/dynamic/plan"
NODES = 20
TEXTS = 8
COMPILATIONS = 15


def main(specs: list[str]) -> None:
    """Prints one table for each tokenizer."""
    print(heading("llguidance and xgrammar on the same grammar and texts", "llguidance", "xgrammar", "numpy"))
    plain = Constraints(path=PATH, max_nodes=NODES)
    texts = [_plain(block(PATH, NODES, salt=salt)) for salt in range(TEXTS)]
    grammar = lower(plain)
    lark, ebnf = emit_llguidance(grammar), emit_xgrammar(grammar)
    print("lower                ", timed(lower, _fresh_constraints()).text())
    print("emit for xgrammar    ", timed(emit_xgrammar, [grammar] * COMPILATIONS).text())
    print("emit for llguidance  ", timed(emit_llguidance, [grammar] * COMPILATIONS).text())
    print("emit with parameters ", timed(emit_parametric, _fresh_constraints()).text())
    parametric = emit_parametric(plain).text
    for spec in specs:
        _compare(load_tokenizer(spec), texts, ebnf, lark, parametric)


def _compare(tokenizer: Tokenizer, texts: list[str], ebnf: str, lark: str, parametric: str) -> None:
    """Prints the table of one tokenizer."""
    print(f"\n{tokenizer.name}: {tokenizer.vocab_size:,} tokens")
    ours = LlguidanceCompiler(tokenizer)
    print("  compile, llguidance ", timed(ours.matcher, [lark] * COMPILATIONS).text())
    # A compiler for each time, because it keeps what it compiled; making it is not counted.
    cold = [MaskCompiler(tokenizer, max_threads=1) for _ in range(3)]
    print("  compile, xgrammar   ", timed(lambda compiler: compiler.compile(ebnf), cold).text())
    compiled = cold[0].compile(ebnf)
    tokens = [tokenizer.encode(text) for text in texts]
    _require_equal(ours.matcher(lark), compiled.matcher(), tokens[0], tokenizer)
    _print_steps("xgrammar", compiled.matcher, tokens, tokenizer)
    _print_steps("llguidance", lambda: ours.matcher(lark), tokens, tokenizer)
    renamed = [tokenizer.encode(_renamed(text)) for text in texts]
    _print_steps("with parameters", lambda: ours.matcher(parametric), renamed, tokenizer)


def _fresh_constraints() -> list[Constraints]:
    return [Constraints(path=PATH, max_nodes=NODES) for _ in range(COMPILATIONS)]


def _plain(text: str) -> str:
    """The text without its signature, which the constraints do not ask for."""
    return re.sub(r"signature: .*\n", "", text)


def _renamed(text: str) -> str:
    """The same graph with the ids that parametric grammars use, numbered as declared."""
    names = {name: f"n{number}" for number, name in enumerate(re.findall(r"- id: (\w+)", text), 1)}
    text = re.sub(r"(?<=- id: )\w+", lambda found: names[found[0]], text)
    return re.sub(rf"(?<={PATH}/)\w+", lambda found: names[found[0]], text)


def _require_equal(one: Matcher, other: Matcher, tokens: Iterable[int], tokenizer: Tokenizer) -> None:
    masks = allocate_bitmask(2, tokenizer.vocab_size)
    for token in [*tokens, tokenizer.eos_token_ids[0]]:
        one.fill_bitmask(masks, 0)
        other.fill_bitmask(masks, 1)
        if (masks[0] != masks[1]).any() or not (one.accept(token) and other.accept(token)):
            raise SystemExit(f"the back ends disagree before the token {token}")


def _print_steps(name: str, matcher: Callable[[], Matcher], texts: list[list[int]], tokenizer: Tokenizer) -> None:
    """Times of filling a mask and of accepting a token, over all tokens of all texts, each with a new matcher."""
    mask = allocate_bitmask(1, tokenizer.vocab_size)
    fills, accepts = [], []
    for tokens in texts:
        state = matcher()
        for token in [*tokens, tokenizer.eos_token_ids[0]]:
            start = time.thread_time()
            state.fill_bitmask(mask, 0)
            filled = time.thread_time()
            accepted = state.accept(token)
            accepts.append(time.thread_time() - filled)
            fills.append(filled - start)
            if not accepted:
                raise SystemExit(f"{name} refuses {tokenizer.decode([token])!r}")
    micro = np.array(fills) * 1e6
    fill = f"median {np.median(micro):.1f}, mean {micro.mean():.1f}, p99 {np.quantile(micro, 0.99):.0f} µs"
    accept = f"median {statistics.median(accepts) * 1e6:.1f} µs"
    print(f"  {name:<16} fill: {fill} · accept: {accept} (n={len(fills):,})")


if __name__ == "__main__":
    main(sys.argv[1:] or ["bytes", *(name for name in MODELS if model_path(name) is not None)])
