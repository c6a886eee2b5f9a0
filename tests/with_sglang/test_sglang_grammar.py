"""One request's grammar in SGLang: masks, copies, drafts, forced text, the end, and a whole valid document."""

from __future__ import annotations

import ast
import builtins
import importlib.util
from pathlib import Path
from typing import Any

import pytest

sampling = pytest.importorskip("sglang.srt.sampling.sampling_batch_info")

import torch  # noqa: E402  # after the skip
from sglang.srt.constrained.base_grammar_backend import BaseGrammarObject  # noqa: E402
from sglang.srt.constrained.xgrammar_backend import XGrammarGrammar  # noqa: E402

from agentic_dsl import Constraints, compile  # noqa: E402
from agentic_dsl.runtime.plugins.sglang_backend import ContractGrammar, ContractGrammarBackend  # noqa: E402
from agentic_dsl.runtime.reparse import reparse  # noqa: E402
from agentic_dsl.runtime.wire import with_contract  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:max_rollback_tokens is deprecated:DeprecationWarning")

VOCAB_SIZE = 49_152
END = 2
SPEC = compile(Constraints(max_nodes=3, max_output_tokens=260))
TEXT = with_contract(SPEC)


def mask_of(grammar: Any) -> torch.Tensor:
    mask = grammar.allocate_vocab_mask(VOCAB_SIZE, 1, "cpu")
    grammar.fill_vocab_mask(mask, 0)
    return mask


def apply(grammar: Any, mask: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    grammar.apply_vocab_mask(logits=logits, vocab_mask=grammar.move_vocab_mask(mask, "cpu"))
    return logits


def walk(grammar: Any, generator: torch.Generator, tokens: int = 1_000) -> list[int]:
    """Random logits through the object's own masks, until it ends or the number of tokens is reached."""
    chosen: list[int] = []
    while not grammar.is_terminated() and len(chosen) < tokens:
        logits = apply(grammar, mask_of(grammar), torch.randn(1, VOCAB_SIZE, generator=generator))
        chosen.append(int(logits[0].argmax()))
        grammar.accept_token(chosen[-1])
    return chosen


def batch_of(grammars: list[Any]) -> Any:
    """What SGLang's sampler is handed for a batch."""
    rows = len(grammars)
    ones = torch.ones(rows)
    return sampling.SamplingBatchInfo(
        temperatures=ones.unsqueeze(1),
        top_ps=ones,
        top_ks=ones.int(),
        min_ps=ones,
        is_all_greedy=True,
        is_any_greedy=True,
        need_top_p_sampling=False,
        need_top_k_sampling=False,
        need_min_p_sampling=False,
        vocab_size=VOCAB_SIZE,
        grammars=grammars,
        device="cpu",
    )


@pytest.fixture
def grammar(backend: ContractGrammarBackend) -> ContractGrammar:
    made = backend.dispatch_ebnf(TEXT)
    assert isinstance(made, ContractGrammar)
    return made


@pytest.mark.parametrize("seed", range(4))
def test_random_logits_give_a_valid_document_within_the_budget(
    grammar: ContractGrammar, tokenizer: Any, seed: int
) -> None:
    tokens = walk(grammar, torch.Generator().manual_seed(seed))
    assert grammar.is_terminated()
    assert tokens[-1] == END
    assert len(tokens) <= 260
    result = reparse(tokenizer.decode(tokens[:-1]), SPEC.constraints)
    assert result.diagnostics == ()


def test_the_stock_grammar_of_the_same_request_allows_what_the_contract_forbids(
    backend: ContractGrammarBackend, grammar: ContractGrammar
) -> None:
    stock = backend.dispatch_ebnf(TEXT.partition("\n")[2])
    assert type(stock) is XGrammarGrammar
    generator = torch.Generator().manual_seed(5)
    wider = 0
    for _ in range(200):
        ours, theirs = mask_of(grammar), mask_of(stock)
        logits = apply(grammar, ours, torch.randn(1, VOCAB_SIZE, generator=generator))
        wider += bool((theirs & ~ours).any())
        token = int(logits[0].argmax())
        if token == END:
            break
        grammar.accept_token(token)
        stock.accept_token(token)  # raises where ours were wider than the grammar
    assert wider > 0


def test_a_copy_begins_at_the_beginning_and_goes_its_own_way(grammar: ContractGrammar) -> None:
    beginning = mask_of(grammar)
    walk(grammar, torch.Generator().manual_seed(1), tokens=30)
    copy = grammar.copy()
    assert torch.equal(mask_of(copy), beginning)
    assert copy.grammar_stats.is_cache_hit
    before = mask_of(grammar)
    walk(copy, torch.Generator().manual_seed(2), tokens=40)
    assert torch.equal(mask_of(grammar), before)
    assert len(grammar.accepted_tokens) == 30


def test_drafts_that_are_taken_back_leave_no_trace(grammar: ContractGrammar) -> None:
    generator = torch.Generator().manual_seed(3)
    walk(grammar, generator, tokens=20)
    masks, tokens = [mask_of(grammar)], []
    for _ in range(8):
        tokens += walk(grammar, generator, tokens=1)
        masks.append(mask_of(grammar))
    for back in (3, 2, 3):
        grammar.rollback(back)
        assert torch.equal(mask_of(grammar), masks[len(grammar.accepted_tokens) - 20])
    for token in tokens[:5]:
        grammar.accept_token(token)
    assert torch.equal(mask_of(grammar), masks[5])


def traverse_tree() -> Any:
    """SGLang's own walk over a tree of drafts; taken out of its module, whose other imports need a GPU's libraries."""
    spec = importlib.util.find_spec("sglang")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "srt/speculative/spec_utils.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "traverse_tree"]
    names: dict[str, Any] = {"torch": torch, "BaseGrammarObject": BaseGrammarObject, "Optional": object}
    future = ast.parse("from __future__ import annotations").body
    module = ast.Module(body=[*future, *body], type_ignores=[])
    exec(builtins.compile(module, str(path), "exec"), names)
    return names["traverse_tree"]


def test_sglangs_walk_over_a_tree_of_drafts_fills_every_row_and_restores_the_request(grammar: ContractGrammar) -> None:
    generator = torch.Generator().manual_seed(4)
    walk(grammar, generator, tokens=25)
    before = mask_of(grammar)
    good = walk(grammar.copy(), torch.Generator().manual_seed(4), tokens=28)[25:]
    # The root was accepted before; below it a right chain of three, and a sibling that nothing allows.
    drafts = torch.tensor([0, *good, END])
    next_token = torch.tensor([1, 2, 3, -1, -1])
    next_sibling = torch.tensor([-1, 4, -1, -1, -1])
    masks = grammar.allocate_vocab_mask(VOCAB_SIZE, 5, "cpu")
    traverse_tree()(next_token, next_sibling, drafts, grammar, masks, vocab_size=VOCAB_SIZE)
    assert torch.equal(masks[0], before[0])
    for row, token in enumerate(good, start=1):
        grammar.accept_token(token)
        assert torch.equal(masks[row], mask_of(grammar)[0])
    assert bool((masks[4] == -1).all())  # refused, so never asked for


def test_the_end_can_be_taken_back(grammar: ContractGrammar) -> None:
    walk(grammar, torch.Generator().manual_seed(0))
    assert grammar.is_terminated()
    grammar.accept_token(7)  # as in stock: nothing happens any more
    assert grammar.is_terminated()
    grammar.rollback(1)
    assert not grammar.is_terminated()
    assert mask_of(grammar)[0, END >> 5].item() >> END & 1
    grammar.accept_token(END)
    assert grammar.is_terminated()


def test_a_token_that_the_mask_forbids_is_an_error_that_tells_nothing_of_the_request(grammar: ContractGrammar) -> None:
    with pytest.raises(ValueError, match="does not allow the token 1 after 0 tokens") as caught:
        grammar.accept_token(1)
    assert "root" not in str(caught.value)
    assert "root" not in repr(grammar)
    assert grammar.accepted_tokens == []


def test_no_special_token_is_ever_allowed_inside_a_text(grammar: ContractGrammar) -> None:
    generator = torch.Generator().manual_seed(6)
    for _ in range(120):
        low = mask_of(grammar)[0, 0].item()
        assert low & 0b11 == 0  # <|endoftext|> and <|im_start|>
        if not walk(grammar, generator, tokens=1) or grammar.is_terminated():
            break


def test_forced_text_is_offered_and_followed(grammar: ContractGrammar, tokenizer: Any) -> None:
    generator = torch.Generator().manual_seed(7)
    helper = None
    while helper is None:
        walk(grammar, generator, tokens=1)
        helper = grammar.try_jump_forward(tokenizer)
    old = list(grammar.accepted_tokens)
    text, state = grammar.jump_forward_str_state(helper)
    assert text
    assert state == -1
    new = tokenizer.encode(tokenizer.decode(old) + text, add_special_tokens=False)
    grammar.jump_and_retokenize(old, new, state)
    assert grammar.accepted_tokens == new


def test_a_batch_of_ours_and_of_others_is_masked_by_sglangs_own_code(
    backend: ContractGrammarBackend, grammar: ContractGrammar
) -> None:
    stock = backend.dispatch_regex("[0-9]{3}")
    for grammars in ([grammar, None, stock, grammar.copy()], [stock, grammar, None]):
        batch = batch_of(grammars)
        batch.update_regex_vocab_mask()
        logits = torch.zeros(len(grammars), VOCAB_SIZE)
        batch.grammar_mask.apply(logits)
        for row, one in zip(logits, grammars, strict=True):
            expected = torch.zeros(1, VOCAB_SIZE)
            if one is not None:
                apply(one, mask_of(one), expected)
            assert torch.equal(row, expected[0])
    finished = grammar.copy()
    finished.finished = True
    batch = batch_of([grammar, finished])
    batch.update_regex_vocab_mask()
    assert bool((batch.grammar_mask.vocab_mask[1] == -1).all())


def test_where_the_grammar_alone_is_asked_for_it_is_enforced_without_special_tokens(
    backend: ContractGrammarBackend, tokenizer: Any
) -> None:
    grammar = backend.dispatch_ebnf(with_contract(SPEC, semantic=False))
    assert isinstance(grammar, ContractGrammar)
    tokens = walk(grammar, torch.Generator().manual_seed(8), tokens=60)
    stock = backend.dispatch_ebnf(SPEC.grammar)
    for token in tokens:
        stock.accept_token(token)
    assert not {0, 1} & set(tokens)
