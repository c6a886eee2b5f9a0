"""The engine's tokenizer as ours: as wide as the model, with the engine's own ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("xgrammar", reason="needs the extra masks")

from agentic_dsl import Constraints, TokenizerError, compile
from agentic_dsl.runtime.masks import allocate_bitmask
from agentic_dsl.runtime.models import model_path
from agentic_dsl.runtime.plugins.contracts import ContractCompiler
from agentic_dsl.runtime.plugins.engine_tokenizer import ending_with, engine_tokenizer
from agentic_dsl.runtime.tokenizer import load_tokenizer
from agentic_dsl.runtime.wire import with_contract

pytestmark = [pytest.mark.masks, pytest.mark.model]

FOLDER = model_path("smollm2")
needs_model = pytest.mark.skipif(FOLDER is None, reason="the embedded model is not pulled: make model")


class Fast:
    """A tokenizer with the two methods of transformers' that are called."""

    def __init__(self, shift: int = 0) -> None:
        self._tokenizer, self._shift = load_tokenizer("smollm2"), shift

    def encode(self, text: str, *, add_special_tokens: bool) -> Sequence[int]:
        return [token + self._shift for token in self._tokenizer.encode(text)]

    def save_pretrained(self, folder: str) -> None:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (Path(folder) / name).write_bytes((Path(str(FOLDER)) / name).read_bytes())


@needs_model
@pytest.mark.parametrize("padding", [0, 1, 32, 100])
@pytest.mark.parametrize("semantic", [True, False])
def test_a_padded_model_gets_masks_of_its_width_whose_padding_is_never_allowed(padding: int, semantic: bool) -> None:
    size = load_tokenizer("smollm2").vocab_size
    tokenizer = engine_tokenizer(Fast(), str(FOLDER), size + padding)
    assert tokenizer.vocab_size == size + padding
    text = with_contract(compile(Constraints(max_nodes=2)), semantic=semantic)
    matcher = ContractCompiler(tokenizer).matcher(text)
    row = allocate_bitmask(1, size + padding)
    for token in [*tokenizer.encode("### AgenticDSL `/"), None]:
        matcher.fill_bitmask(row, 0)
        bits = [bool(int(row[0, at // 32]) >> (at % 32) & 1) for at in range(size, row.shape[1] * 32)]
        assert not any(bits)
        assert token is None or matcher.accept(token)


@needs_model
def test_a_name_that_only_the_engine_can_resolve_is_read_from_what_it_saves() -> None:
    tokenizer = engine_tokenizer(Fast(), "organisation/model", 49_152)
    assert tokenizer.name == "organisation/model"
    assert tokenizer.vocabulary.tokens == load_tokenizer("smollm2").vocabulary.tokens


@needs_model
def test_a_tokenizer_that_spells_otherwise_is_refused() -> None:
    with pytest.raises(TokenizerError, match="spells text otherwise"):
        engine_tokenizer(Fast(shift=1), str(FOLDER), 49_152)


def test_ends_at_which_the_engine_goes_on_are_no_ends() -> None:
    tokenizer = load_tokenizer("bytes")
    assert ending_with(tokenizer, {256, 10}) is tokenizer
    with pytest.raises(TokenizerError, match="stops at none"):
        ending_with(tokenizer, {10})


@needs_model
def test_a_model_with_fewer_logits_than_tokens_keeps_those_that_it_has() -> None:
    tokenizer = engine_tokenizer(Fast(), str(FOLDER), 49_000)
    assert tokenizer.vocab_size == 49_000
    with pytest.raises(TokenizerError, match="no end token"):
        engine_tokenizer(Fast(), str(FOLDER), 2)
