"""The toolkit's view of a server's tokenizer is the server's, or it is refused."""

from __future__ import annotations

import pytest

from agentic_dsl.errors import TokenizerError
from agentic_dsl.runtime.plugins.served_tokenizer import served_tokenizer
from agentic_dsl.runtime.tokenizer import load_tokenizer


def test_it_is_as_wide_as_the_logits_and_ends_where_the_server_stops() -> None:
    tokenizer = served_tokenizer("bytes", vocab_size=300, eos_token_ids=[258, 256])
    assert tokenizer.vocab_size == 300
    assert tokenizer.eos_token_ids == (256, 258)  # the tokenizer's own preference first
    assert all(token is None for token in tokenizer.vocabulary.tokens[256:])


def test_a_server_that_names_no_end_token_gets_the_tokenizers_own() -> None:
    assert served_tokenizer("bytes", vocab_size=260).eos_token_ids == load_tokenizer("bytes").eos_token_ids


def test_a_text_token_at_which_the_server_stops_is_no_text_any_more() -> None:
    tokenizer = served_tokenizer("bytes", vocab_size=260, eos_token_ids=[10])
    assert tokenizer.eos_token_ids == (10,)
    assert tokenizer.vocabulary.tokens[10] is None


def test_padding_without_logits_is_cut_off_but_text_is_not() -> None:
    assert served_tokenizer("bytes", vocab_size=257).vocab_size == 257
    with pytest.raises(TokenizerError, match=r"more tokens than the model has logits \(200\)"):
        served_tokenizer("bytes", vocab_size=200)


def test_an_end_token_without_a_logit_is_refused() -> None:
    with pytest.raises(TokenizerError, match="the end token 999 is not among the model's 260 logits"):
        served_tokenizer("bytes", vocab_size=260, eos_token_ids=[999])


def test_two_swapped_tokens_are_found() -> None:
    spelled = [bytes([byte]) for byte in range(256)]
    assert served_tokenizer("bytes", vocab_size=260, spelled=spelled).vocab_size == 260
    spelled[65], spelled[66] = spelled[66], spelled[65]
    with pytest.raises(TokenizerError, match="spells the token 65 as b'A', and the server as b'B'"):
        served_tokenizer("bytes", vocab_size=260, spelled=spelled)
