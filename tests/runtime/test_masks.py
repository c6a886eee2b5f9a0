"""What compiled masks allow, where they come from, and what the matcher refuses."""

from __future__ import annotations

import importlib.util
import json
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentic_dsl.errors import CacheError, ConstraintError, EngineError
from agentic_dsl.runtime import models
from agentic_dsl.runtime.mask_payload import slim
from agentic_dsl.runtime.mask_store import MaskStore
from agentic_dsl.runtime.masks import CompiledGrammar, MaskCompiler, allocate_bitmask, compile_masks
from agentic_dsl.runtime.matcher import GrammarMatcher, Matcher
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Vocabulary

np = pytest.importorskip("numpy")
pytest.importorskip("xgrammar")
pytestmark = pytest.mark.masks

if TYPE_CHECKING:
    import numpy.typing as npt

QUOTED = r'root ::= "\"" [^"\\\n]* "\"\n"' + "\n"
WORD = 'root ::= "ab" [a-z]* "!"\n'

# The shape of the toolkit's grammars: rules end at line ends, a choice of nodes, a count, a rule for each tool.
NODES = r"""
root ::= "nodes:\n" node{1,COUNT} "---\n"
node ::= "- id: " id (assign | call | end)
id ::= [a-z] [a-z0-9_]{0,7} "\n"
assign ::= "  assign:\n" ("    " [a-z]+ ": " text)+ next
call ::= "  tool: " (tool_a | tool_b | tool_c) next
tool_a ::= "search\n    query: " text ("    limit: " number)?
tool_b ::= "fetch\n    url: " text
tool_c ::= "rank\n    by: " ("size" | "date") "\n"
end ::= "  end\n"
next ::= "  next: [\"/p/" [a-z_]+ "\"" (", \"/p/" [a-z_]+ "\"")* "]\n"
number ::= "-"? ("0" | [1-9] [0-9]*) "\n"
text ::= "\"" ([^"\\\n] | "\\" ["\\nrt])* "\"\n"
"""


def nodes(count: int) -> str:
    return NODES.replace("COUNT", str(count))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer("bytes")


@pytest.fixture
def store(tmp_path: Path) -> MaskStore:
    return MaskStore(tmp_path / "masks")


@pytest.fixture(scope="module", params=["qwen", "tekken", pytest.param("smollm2", marks=pytest.mark.model)])
def real(request: pytest.FixtureRequest) -> Tokenizer:
    """Real vocabularies of 152k, 131k and 49k tokens."""
    if request.param == "smollm2":
        if models.model_path("smollm2") is None:
            pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
        return load_tokenizer("smollm2")
    package, path = {
        "qwen": ("dashscope", "resources/qwen.tiktoken"),
        "tekken": ("mistral_common", "data/tekken_240911.json"),
    }[str(request.param)]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package}, which brings a real vocabulary, is not installed")
    return load_tokenizer(Path(spec.origin).parent / path)


def small_tokenizer(*tokens: bytes) -> Tokenizer:
    vocabulary = Vocabulary((*tokens, None), {len(tokens): "<end>"}, (len(tokens),))
    return Tokenizer("small", vocabulary, load_tokenizer("bytes").codec)


def allowed(matcher: Matcher, vocab_size: int) -> set[int]:
    """The allowed ids; every bit past the vocabulary must be 0."""
    bitmask = allocate_bitmask(1, vocab_size)
    if not matcher.fill_bitmask(bitmask, 0):
        return set(range(vocab_size))
    ids = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))
    assert all(token_id < vocab_size for token_id in ids.tolist())
    return set(ids.tolist())


def feed(matcher: Matcher, tokenizer: Tokenizer, text: str) -> bool:
    return all(matcher.accept(token_id) for token_id in tokenizer.encode(text))


def walk(compiled: CompiledGrammar, seed: int, steps: int = 250) -> list[object]:
    """A random text of a grammar with all that the matcher said on the way: masks, forced texts, the end."""
    rng = random.Random(seed)
    matcher = compiled.matcher()
    bitmask = allocate_bitmask(1, compiled.vocab_size)
    closes = np.array([(token or b"\n")[-1:] in b'"\n' for token in compiled.vocabulary.tokens])
    trace: list[object] = []
    for _ in range(steps):
        matcher.fill_bitmask(bitmask, 0)
        trace += (bitmask.tobytes(), matcher.jump_forward())
        ids = np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little"))
        # Random logits hardly ever close a string; every other choice prefers what ends something.
        closing = ids[closes[ids]]
        token_id = int(rng.choice(closing if len(closing) and rng.random() < 0.5 else ids))
        assert matcher.accept(token_id)
        trace.append(token_id)
        if matcher.is_terminated():
            break
    return trace


# What masks allow


@pytest.mark.parametrize("text", ["ab!", "abc!", "abzzzz!"])
def test_a_text_of_the_grammar_is_accepted_with_its_end_token(tokenizer: Tokenizer, text: str) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    assert feed(matcher, tokenizer, text)
    assert not matcher.is_terminated()
    assert matcher.accept(tokenizer.eos_token_ids[0])
    assert matcher.is_terminated()


@pytest.mark.parametrize("text", ["", "a", "ab"])
def test_the_end_token_is_refused_before_the_end(tokenizer: Tokenizer, text: str) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    assert feed(matcher, tokenizer, text)
    assert not matcher.accept(tokenizer.eos_token_ids[0])


@pytest.mark.parametrize("text", ["b", "aa", "ab ", "ab!!", "abC"])
def test_a_text_outside_the_grammar_is_refused(tokenizer: Tokenizer, text: str) -> None:
    assert not feed(compile_masks(WORD, tokenizer).matcher(), tokenizer, text)


def test_the_mask_allows_exactly_the_tokens_that_are_accepted(tokenizer: Tokenizer) -> None:
    compiled = compile_masks(nodes(3), tokenizer)
    text = 'nodes:\n- id: a\n  assign:\n    x: "q\\n"\n  next: ["/p/b"]\n- id: b\n  end\n---\n'
    matcher = compiled.matcher()
    for token_id in [*tokenizer.encode(text), tokenizer.eos_token_ids[0]]:
        accepted = set()
        for candidate in range(tokenizer.vocab_size):
            if matcher.accept(candidate):
                accepted.add(candidate)
                matcher.rollback(1)
        assert allowed(matcher, tokenizer.vocab_size) == accepted
        assert matcher.accept(token_id)
    assert matcher.is_terminated()


def test_no_special_token_is_ever_allowed_inside_a_quoted_string(real: Tokenizer) -> None:
    matcher = compile_masks(QUOTED, real).matcher()
    assert feed(matcher, real, '"')
    for text in ("", "x", "<|im", " y"):
        assert feed(matcher, real, text)
        assert allowed(matcher, real.vocab_size).isdisjoint(real.special_token_ids)
        assert not any(matcher.accept(token_id) for token_id in real.special_token_ids)
    assert feed(matcher, real, '"\n')
    assert allowed(matcher, real.vocab_size) == set(real.eos_token_ids)


def test_the_spelling_of_a_special_token_can_still_be_written_as_text(real: Tokenizer) -> None:
    matcher = compile_masks(QUOTED, real).matcher()
    assert feed(matcher, real, '"a ' + real.vocabulary.specials[real.eos_token_ids[0]] + ' b"\n')
    assert matcher.accept(real.eos_token_ids[-1])


def test_blank_tokens_past_the_texts_are_never_allowed(tokenizer: Tokenizer) -> None:
    padded = Tokenizer(
        "padded",
        Vocabulary(
            (*tokenizer.vocabulary.tokens, *[None] * 61), tokenizer.vocabulary.specials, tokenizer.eos_token_ids
        ),
        tokenizer.codec,
    )
    matcher = compile_masks('root ::= [^"]+\n', padded).matcher()
    assert max(allowed(matcher, padded.vocab_size)) < 256
    assert not matcher.accept(300)


def test_walks_end_in_the_grammar(real: Tokenizer) -> None:
    compiled = compile_masks(nodes(5), real)
    ended = 0
    for seed in range(6):
        ids = walk(compiled, seed)[2::3]
        checker = compiled.matcher()
        assert all(checker.accept(int(str(token_id))) for token_id in ids)
        ended += checker.is_terminated()
    assert ended


# The matcher


def test_rollback_restores_every_earlier_mask(tokenizer: Tokenizer) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    ids = [*tokenizer.encode("abxy!"), tokenizer.eos_token_ids[0]]
    masks = []
    for token_id in ids:
        masks.append(allowed(matcher, tokenizer.vocab_size))
        assert matcher.accept(token_id)
    while masks:
        matcher.rollback(1)
        assert not matcher.is_terminated()
        assert allowed(matcher, tokenizer.vocab_size) == masks.pop()
    matcher.rollback(0)
    with pytest.raises(EngineError, match="1 tokens cannot be taken back: 0 were accepted"):
        matcher.rollback(1)
    with pytest.raises(EngineError):
        matcher.rollback(-1)


def test_a_refused_token_changes_nothing(tokenizer: Tokenizer) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    before = allowed(matcher, tokenizer.vocab_size)
    assert not matcher.accept(ord("z"))
    assert allowed(matcher, tokenizer.vocab_size) == before
    with pytest.raises(EngineError):
        matcher.rollback(1)


def test_a_fork_goes_its_own_way_and_keeps_the_tokens(tokenizer: Tokenizer) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    assert feed(matcher, tokenizer, "ab")
    fork = matcher.fork()
    assert feed(fork, tokenizer, "!")
    assert fork.accept(tokenizer.eos_token_ids[0])
    assert fork.fork().is_terminated()
    assert not matcher.is_terminated()
    assert ord("x") in allowed(matcher, tokenizer.vocab_size)
    fork.rollback(4)
    assert fork.jump_forward() == "ab"


def test_a_finished_row_allows_only_end_tokens_and_accepts_nothing(tokenizer: Tokenizer) -> None:
    compiled = compile_masks('root ::= "a"\n', tokenizer)
    matcher = compiled.matcher()
    assert matcher.accept(ord("a"))
    assert matcher.accept(256)
    bitmask = allocate_bitmask(3, tokenizer.vocab_size)
    assert matcher.fill_bitmask(bitmask, 1)
    assert (bitmask[[0, 2]] == -1).all()
    assert allowed(matcher, tokenizer.vocab_size) == {256}
    assert not matcher.accept(256)
    assert matcher.jump_forward() == ""


def test_an_end_token_in_the_sign_bit_of_its_word_is_allowed_at_the_end() -> None:
    tokenizer = small_tokenizer(*(bytes([65 + n]) for n in range(31)))
    assert tokenizer.eos_token_ids == (31,)
    matcher = compile_masks('root ::= "A"\n', tokenizer).matcher()
    assert matcher.accept(0)
    assert allowed(matcher, 32) == {31}
    assert matcher.accept(31)
    assert allowed(matcher, 32) == {31}


def test_forced_text_is_found_across_rules(tokenizer: Tokenizer) -> None:
    matcher = compile_masks(nodes(2), tokenizer).matcher()
    assert matcher.jump_forward() == "nodes:\n- id: "


def test_a_mask_that_allows_everything_needs_no_masking() -> None:
    tokenizer = small_tokenizer(*(bytes([65 + n]) for n in range(31)))
    matcher = compile_masks("root ::= [A-_]*\n", tokenizer).matcher()
    assert not matcher.fill_bitmask(allocate_bitmask(1, 32), 0)


def test_unknown_and_special_ids_are_refused_without_noise(
    tokenizer: Tokenizer, capfd: pytest.CaptureFixture[str]
) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    for token_id in (-1, tokenizer.vocab_size, 10**9, 257):
        assert not matcher.accept(token_id)
    assert capfd.readouterr() == ("", "")


def _wrong_bitmasks() -> list[npt.NDArray[np.int32]]:
    return [
        np.zeros((2, 8), np.int32),
        np.zeros((2, 9), np.int64),
        np.zeros((4, 9), np.int32)[::2],
        np.zeros((2, 9), np.int32, order="F"),
        np.zeros((2, 10), np.int32),
    ]


@pytest.mark.parametrize("number", range(5))
def test_a_bitmask_of_another_shape_or_layout_is_refused(tokenizer: Tokenizer, number: int) -> None:
    matcher = compile_masks(WORD, tokenizer).matcher()
    with pytest.raises(EngineError, match="cannot hold the mask"):
        matcher.fill_bitmask(_wrong_bitmasks()[number], 0)


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_outside_the_bitmask_is_refused(tokenizer: Tokenizer, row: int) -> None:
    with pytest.raises(EngineError, match=f"row {row} "):
        compile_masks(WORD, tokenizer).matcher().fill_bitmask(allocate_bitmask(2, 260), row)


def test_a_bitmask_covers_the_vocabulary_and_allows_everything() -> None:
    bitmask = allocate_bitmask(3, 65)
    assert bitmask.shape == (3, 3)
    assert bitmask.dtype == np.int32
    assert (bitmask == -1).all()


def test_the_matcher_is_a_matcher(tokenizer: Tokenizer) -> None:
    matcher: Matcher = compile_masks(WORD, tokenizer).matcher()
    assert isinstance(matcher, GrammarMatcher)


# Grammars that cannot be compiled


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("", "line 1, column 1"),
        ('x ::= "a"\n', 'root rule with name "root"'),
        ('root ::= "a\n', "line 1, column 12"),
        ('root ::= "a" x\n', 'Rule "x" is not defined'),
        ("root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000, "malformed"),
        ("root ::= root\n", "no token can begin"),
        ('root ::= "\ud800"\n', "surrogate"),
    ],
)
def test_a_malformed_grammar_is_an_error_of_ours(tokenizer: Tokenizer, grammar: str, message: str) -> None:
    with pytest.raises(ConstraintError) as caught:
        compile_masks(grammar, tokenizer)
    assert message in caught.value.message
    assert ".cc:" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grammar_whose_first_token_the_vocabulary_lacks_is_refused() -> None:
    with pytest.raises(ConstraintError, match="no token can begin"):
        compile_masks('root ::= "x"\n', small_tokenizer(b"a", b"b"))


# Where compiled grammars come from


def test_a_grammar_is_compiled_once_then_kept_then_loaded(tokenizer: Tokenizer, store: MaskStore) -> None:
    compiler = MaskCompiler(tokenizer, store=store)
    first = compiler.compile(WORD)
    assert (first.origin, first.cached) == ("compiled", False)
    assert first.path is not None
    assert first.path.is_file()
    assert first.nbytes > 0
    second = compiler.compile(WORD)
    assert (second.origin, second.cached, second.key) == ("memory", True, first.key)
    third = compile_masks(WORD, tokenizer, store=store)
    assert (third.origin, third.cached, third.path) == ("store", True, first.path)
    assert compiler.key(WORD).digest == first.key


def test_without_a_store_nothing_is_written(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_DSL_CACHE_DIR", str(tmp_path))
    assert compile_masks(WORD, tokenizer).path is None
    assert list(tmp_path.iterdir()) == []


def test_equal_sized_tokenizers_with_swapped_tokens_do_not_share_masks(store: MaskStore) -> None:
    one, other = small_tokenizer(b"a", b"b"), small_tokenizer(b"b", b"a")
    grammar = 'root ::= "a"\n'
    first = compile_masks(grammar, one, store=store)
    second = compile_masks(grammar, other, store=store)
    assert first.key != second.key
    assert second.origin == "compiled"
    assert allowed(first.matcher(), 3) == {0}
    assert allowed(second.matcher(), 3) == {1}


def test_another_end_token_is_another_key(tokenizer: Tokenizer) -> None:
    changed = Vocabulary(tokenizer.vocabulary.tokens, tokenizer.vocabulary.specials, (258,))
    other = Tokenizer("bytes", changed, tokenizer.codec)
    assert MaskCompiler(tokenizer).key(WORD) != MaskCompiler(other).key(WORD)


@pytest.mark.parametrize("count", [3, 2000])
def test_a_loaded_grammar_behaves_as_the_compiled_one(real: Tokenizer, store: MaskStore, count: int) -> None:
    compiled = compile_masks(nodes(count), real, store=store)
    loaded = compile_masks(nodes(count), real, store=store)
    assert (compiled.origin, loaded.origin) == ("compiled", "store")
    for seed in range(8):
        assert walk(loaded, seed) == walk(compiled, seed)


def test_an_entry_that_the_backend_refuses_is_compiled_again(
    tokenizer: Tokenizer, store: MaskStore, caplog: pytest.LogCaptureFixture
) -> None:
    compiler = MaskCompiler(tokenizer, store=store)
    for payload in (b"{}", b"[", b"\xff", json.dumps({"__VERSION__": 0}).encode()):
        store.put(compiler.key(WORD), payload)
        with caplog.at_level(logging.WARNING):
            compiled = compile_masks(WORD, tokenizer, store=store)
        assert compiled.origin == "compiled"
        assert "not usable" in caplog.text
        caplog.clear()
    assert compile_masks(WORD, tokenizer, store=store).origin == "store"


def test_a_store_that_cannot_be_written_costs_only_a_log_line(
    tokenizer: Tokenizer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        compiled = compile_masks(WORD, tokenizer, store=MaskStore(tmp_path / "file"))
    assert compiled.path is None
    assert feed(compiled.matcher(), tokenizer, "ab!")
    assert "cannot be used" in caplog.text


def test_writes_in_the_background_are_done_when_the_compiler_is_closed(tokenizer: Tokenizer, store: MaskStore) -> None:
    with MaskCompiler(tokenizer, store=store, background_writes=True) as compiler:
        for n in range(1, 6):
            assert compiler.compile(nodes(n)).origin == "compiled"
    assert len(store.ls()) == 5
    assert compiler.compile(nodes(6)).path is not None  # a closed compiler still works
    assert compile_masks(nodes(5), tokenizer, store=store).origin == "store"


def test_only_the_last_grammars_are_kept_in_memory(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentic_dsl.runtime.masks._KEPT_GRAMMARS", 2)
    compiler = MaskCompiler(tokenizer)
    for n in (1, 2, 1, 3):
        compiler.compile(nodes(n))
    assert [compiler.compile(nodes(n)).origin for n in (1, 3, 2)] == ["memory", "memory", "compiled"]


def test_threads_share_one_compiler(tokenizer: Tokenizer, store: MaskStore) -> None:
    compiler = MaskCompiler(tokenizer, store=store)
    with ThreadPoolExecutor(4) as pool:
        compiled = list(pool.map(compiler.compile, [nodes(n % 4 + 1) for n in range(24)]))
    assert len({grammar.key for grammar in compiled}) == 4
    assert len(store.ls()) == 4
    assert store.verify() == []


def test_a_store_that_refuses_in_the_background_breaks_nothing(
    tokenizer: Tokenizer, store: MaskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise CacheError("the disk is full")

    monkeypatch.setattr(store, "put", refuse)
    with MaskCompiler(tokenizer, store=store, background_writes=True) as compiler:
        compiled = compiler.compile(WORD)
    assert feed(compiled.matcher(), tokenizer, "ab!")


# The stored form


def test_cutting_a_serialised_grammar_removes_only_what_no_rule_reaches(tokenizer: Tokenizer) -> None:
    import xgrammar

    compiler = MaskCompiler(tokenizer)
    for count in (3, 2000):
        handle = compiler.compile(nodes(count)).handle
        whole = handle.serialize_json()
        cut = slim(whole)
        assert len(cut) < 0.6 * len(whole)
        loaded = xgrammar.CompiledGrammar.deserialize_json(cut, handle.tokenizer_info)
        assert loaded.serialize_json() == cut
        assert str(loaded.grammar) == str(handle.grammar)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"grammar":{"complete_fsm":{},"per_rule_fsms":[]}}',
        '{"grammar":{"complete_fsm":{"edges":{"data_":[[1,2]],"indptr_":[0,1]},"edge_aux_data":[],"edge_num":1},"per_rule_fsms":[]}}',
        '{"grammar":{"complete_fsm":[1],"per_rule_fsms":[[[1],x]]}}',
    ],
)
def test_a_serialised_grammar_of_unknown_shape_stays_as_it_is(text: str) -> None:
    assert slim(text) == text
