"""Masks on logits: rows with grammars of their own, rows without one, wide logits, finished rows."""

from __future__ import annotations

import pytest

from agentic_dsl.errors import EngineError
from agentic_dsl.runtime.masks import compile_masks
from agentic_dsl.runtime.matcher import GrammarMatcher
from agentic_dsl.runtime.tokenizer import load_tokenizer

torch = pytest.importorskip("torch")
pytest.importorskip("xgrammar")
pytestmark = pytest.mark.masks

from agentic_dsl.runtime.engines.logits_processor import GrammarLogitsProcessor  # noqa: E402  # after the skip

BYTES = load_tokenizer("bytes")
DIGITS = 'root ::= [0-9]{2} "\\n"\n'
WORD = 'root ::= "ab" [a-z]* "!"\n'


def matcher(grammar: str) -> GrammarMatcher:
    return compile_masks(grammar, BYTES).matcher()


def allowed(scores: torch.Tensor) -> list[set[int]]:
    return [set(torch.nonzero(row > -torch.inf).flatten().tolist()) for row in scores]


def zeros(rows: int, width: int = BYTES.vocab_size, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(rows, width, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_row_is_masked_by_its_own_grammar_and_free_rows_are_not(dtype: torch.dtype) -> None:
    processor = GrammarLogitsProcessor([matcher(DIGITS), None, matcher(WORD)], BYTES.vocab_size)
    scores = processor.mask(zeros(3, dtype=dtype))
    assert allowed(scores) == [set(b"0123456789"), set(range(BYTES.vocab_size)), {ord("a")}]


def test_ids_beyond_the_vocabulary_are_never_allowed_in_any_row() -> None:
    processor = GrammarLogitsProcessor([matcher(DIGITS), None], BYTES.vocab_size)
    first, second = allowed(processor.mask(zeros(2, BYTES.vocab_size + 60)))
    assert first == set(b"0123456789")
    assert second == set(range(BYTES.vocab_size))


def test_called_like_a_logits_processor_it_accepts_what_was_chosen_in_between() -> None:
    processor = GrammarLogitsProcessor([matcher(DIGITS), matcher(WORD), None], BYTES.vocab_size)
    # Left padding: what stands before the answers is prompt, whatever it is.
    ids = torch.tensor([[0, 0, 7], [0, 5, 6], [1, 2, 3]])
    processor(ids, zeros(3))
    ids = torch.cat([ids, torch.tensor([[ord("4")], [ord("a")], [9]])], dim=1)
    assert allowed(processor(ids, zeros(3)))[:2] == [set(b"0123456789"), {ord("b")}]


def test_a_finished_row_may_be_padded_while_the_others_go_on() -> None:
    end = BYTES.eos_token_ids[0]
    processor = GrammarLogitsProcessor([matcher('root ::= "x"\n'), matcher(WORD)], BYTES.vocab_size)
    ids = torch.zeros(2, 1, dtype=torch.long)
    for chosen in ([ord("x"), ord("a")], [end, ord("b")], [0, ord("c")], [0, ord("d")]):
        processor(ids, zeros(2))
        ids = torch.cat([ids, torch.tensor(chosen)[:, None]], dim=1)
    first, second = allowed(processor(ids, zeros(2)))
    assert first == {end}
    assert second == {*range(ord("a"), ord("z") + 1), ord("!")}


def test_a_token_that_was_masked_is_an_error_and_not_ignored() -> None:
    processor = GrammarLogitsProcessor([matcher(DIGITS)], BYTES.vocab_size)
    processor(torch.zeros(1, 1, dtype=torch.long), zeros(1))
    with pytest.raises(EngineError, match="row 0 of the batch went on with the token 120"):
        processor(torch.tensor([[0, ord("x")]]), zeros(1))


@pytest.mark.parametrize(("rows", "width"), [(2, BYTES.vocab_size), (1, BYTES.vocab_size - 1)])
def test_logits_of_another_shape_are_refused(rows: int, width: int) -> None:
    with pytest.raises(EngineError, match="do not fit 1 rows"):
        GrammarLogitsProcessor([matcher(DIGITS)], BYTES.vocab_size).mask(zeros(rows, width))


def test_rows_that_are_kept_go_on_where_they_were() -> None:
    processor = GrammarLogitsProcessor([matcher(DIGITS), None, matcher(WORD)], BYTES.vocab_size)
    processor.mask(zeros(3))
    assert processor.accept(2, ord("a"))
    spent = processor.mask_us[2]
    processor.keep([2, 0])
    assert allowed(processor.mask(zeros(2))) == [{ord("b")}, set(b"0123456789")]
    assert processor.mask_us[0] > spent > 0


def test_it_works_inside_the_generate_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=272, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config).eval()
    end = BYTES.eos_token_ids[0]
    ids = torch.tensor([[0, 0, 65], [66, 67, 68]])
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.tensor([[0, 0, 1], [1, 1, 1]]),
        logits_processor=[GrammarLogitsProcessor([matcher(DIGITS), matcher(WORD)], BYTES.vocab_size)],
        do_sample=True,
        max_new_tokens=8,
        eos_token_id=end,
        pad_token_id=0,
    )[:, 3:].tolist()
    assert bytes(out[0][:2]).isdigit()
    assert out[0][2:4] == [ord("\n"), end]
    assert bytes(out[1][:2]) == b"ab"
