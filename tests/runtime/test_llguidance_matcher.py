"""The llguidance back end: the protocol, and the same masks as xgrammar's."""

from __future__ import annotations

import random
from typing import Any

import pytest

from agentic_dsl.compiler.grammar.emit_llguidance import emit_llguidance
from agentic_dsl.compiler.grammar.emit_xgrammar import emit_xgrammar
from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.errors import ConstraintError, EngineError
from agentic_dsl.runtime import models
from agentic_dsl.runtime.llguidance_matcher import LlguidanceCompiler, LlguidanceMatcher
from agentic_dsl.runtime.masks import MaskCompiler, allocate_bitmask
from agentic_dsl.runtime.matcher import Matcher
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Pieces
from tests.strategies.grammar_requests import REQUESTS

np = pytest.importorskip("numpy")
pytest.importorskip("llguidance")
pytestmark = pytest.mark.masks

WORD = 'start: LINE LAST\nLINE: "ab" /[a-z]/* "!\\n"\nLAST: "end\\n"\n'
END = 256


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_tokenizer("bytes")


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> LlguidanceCompiler:
    return LlguidanceCompiler(tokenizer)


@pytest.fixture
def matcher(compiler: LlguidanceCompiler) -> LlguidanceMatcher:
    return compiler.matcher(WORD)


def allowed(matcher: Matcher, width: int = 260) -> list[int]:
    bitmask = allocate_bitmask(1, width)
    matcher.fill_bitmask(bitmask, 0)
    return np.flatnonzero(np.unpackbits(bitmask.view(np.uint8), bitorder="little")).tolist()  # type: ignore[no-any-return]


def feed(matcher: Matcher, text: str) -> bool:
    return all(map(matcher.accept, text.encode()))


def test_only_what_fits_is_allowed(matcher: LlguidanceMatcher) -> None:
    assert allowed(matcher) == [ord("a")]
    assert feed(matcher, "abc")
    assert allowed(matcher) == sorted([ord("!"), *range(ord("a"), ord("z") + 1)])


def test_the_end_token_is_allowed_only_at_the_end(matcher: LlguidanceMatcher) -> None:
    assert not matcher.accept(END)
    assert feed(matcher, "ab!\nend\n")
    assert not matcher.is_terminated()
    assert allowed(matcher) == [END]
    assert matcher.accept(END)
    assert matcher.is_terminated()
    assert allowed(matcher) == [END]
    assert not matcher.accept(END)


def test_a_refused_token_changes_nothing(matcher: LlguidanceMatcher) -> None:
    before = allowed(matcher)
    for token in (ord("x"), END, 257, 259, 260, -1):
        assert not matcher.accept(token)
    assert allowed(matcher) == before
    assert feed(matcher, "ab!\nend\n")


def test_specials_are_never_allowed(compiler: LlguidanceCompiler) -> None:
    matcher = compiler.matcher('start: TEXT\nTEXT: "\\"" /[^"\\n]/* "\\"\\n"\n')
    assert feed(matcher, '"')
    assert not [token for token in allowed(matcher) if token > 255]
    assert feed(matcher, "<|im_start|><|blank 257|>")


def test_rollback_restores_every_earlier_mask(compiler: LlguidanceCompiler) -> None:
    matcher = compiler.matcher(WORD)
    masks = []
    tokens = [*b"abxyz!\nend\n", END]
    for token in tokens:
        masks.append(allowed(matcher))
        assert matcher.accept(token)
    for back in range(1, len(tokens) + 1):
        matcher.rollback(back)
        assert not matcher.is_terminated()
        assert allowed(matcher) == masks[-back]
        assert all(map(matcher.accept, tokens[-back:]))
        assert matcher.is_terminated()


def test_speculation_leaves_no_trace(compiler: LlguidanceCompiler) -> None:
    lark = emit_llguidance(lower(REQUESTS["tools"]))
    rng = random.Random(3)
    matcher, taken = compiler.matcher(lark), []
    for _ in range(60):
        count = rng.randrange(1, 9)
        for _ in range(count):
            token = rng.choice(allowed(matcher))
            assert matcher.accept(token)
            taken.append(token)
        back = rng.randrange(count + 1)
        matcher.rollback(back)
        del taken[len(taken) - back :]
        fresh = compiler.matcher(lark)
        assert all(map(fresh.accept, taken))
        assert allowed(matcher) == allowed(fresh)
        assert matcher.jump_forward() == fresh.jump_forward()


def test_more_than_was_accepted_cannot_be_taken_back(matcher: LlguidanceMatcher) -> None:
    assert feed(matcher, "ab")
    for n in (3, -1):
        with pytest.raises(EngineError, match="cannot be taken back"):
            matcher.rollback(n)
    matcher.rollback(0)
    assert feed(matcher, "!")


def test_a_fork_goes_its_own_way(matcher: LlguidanceMatcher) -> None:
    assert feed(matcher, "ab")
    fork = matcher.fork()
    assert feed(fork, "!\nend\n")
    assert fork.accept(END)
    assert ord("c") in allowed(matcher)
    assert not matcher.is_terminated()
    fork.rollback(9)
    assert allowed(fork) == [ord("a")]
    twin = fork.fork()
    assert allowed(twin) == [ord("a")]


def test_jump_forward_gives_what_is_forced_in_whole_characters(compiler: LlguidanceCompiler) -> None:
    matcher = compiler.matcher('start: A | B\nA: "één\\n"\nB: "éèn\\n"\n')
    assert matcher.jump_forward() == "é"
    assert matcher.accept("é".encode()[0])
    assert matcher.jump_forward() == ""
    assert matcher.accept("é".encode()[1])
    assert feed(matcher, "è")
    assert matcher.jump_forward() == "n\n"
    assert feed(matcher, "n\n")
    assert matcher.jump_forward() == ""
    assert matcher.accept(END)
    assert matcher.jump_forward() == ""


def test_other_rows_stay_as_they_are(matcher: LlguidanceMatcher) -> None:
    bitmask = allocate_bitmask(3, 260)
    assert matcher.fill_bitmask(bitmask, 1)
    assert (bitmask[[0, 2]] == -1).all()
    assert (bitmask[1] != -1).any()


@pytest.mark.parametrize(
    "bitmask",
    [
        np.zeros((1, 9), dtype=np.int64),
        np.zeros((1, 8), dtype=np.int32),
        np.zeros((1, 10), dtype=np.int32),
        np.zeros((1, 18), dtype=np.int32)[:, ::2],
        np.zeros(9, dtype=np.int32),
        None,
    ],
    ids=["wide items", "too narrow", "too wide", "strides", "one dimension", "nothing"],
)
def test_an_array_that_cannot_hold_the_mask_is_refused(matcher: LlguidanceMatcher, bitmask: Any) -> None:
    with pytest.raises(EngineError, match="cannot hold the mask"):
        matcher.fill_bitmask(bitmask, 0)
    assert feed(matcher, "ab")


@pytest.mark.parametrize("row", [1, -1])
def test_a_row_that_is_not_there_is_refused(matcher: LlguidanceMatcher, row: int) -> None:
    with pytest.raises(EngineError, match="cannot hold the mask"):
        matcher.fill_bitmask(allocate_bitmask(1, 260), row)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('start: "a" |\nother: )\n', "malformed at line 2"),
        ("start: missing\n", "missing"),
        ('begin: "a"\n', "start"),
        ("", "start|empty"),
        ("start: A\nA: B\nB: A\n", "cannot be compiled|malformed"),
    ],
)
def test_a_text_that_is_no_grammar_is_refused_with_the_place(
    compiler: LlguidanceCompiler, text: str, message: str
) -> None:
    with pytest.raises(ConstraintError, match=message) as caught:
        compiler.matcher(text)
    assert "\n" not in caught.value.message
    assert caught.value.help


def test_hitting_a_limit_on_the_way_is_an_engine_error(tokenizer: Tokenizer) -> None:
    matcher = LlguidanceCompiler(tokenizer, max_items=100).matcher('start: "x" start | "x"\n')
    with pytest.raises(EngineError, match="stopped in the middle"):
        feed(matcher, "x" * 1000)
    with pytest.raises(EngineError, match="stopped in the middle"):
        allowed(matcher)


def test_a_large_catalogue_of_tools_is_within_the_limits(compiler: LlguidanceCompiler) -> None:
    tools = tuple(ToolSpec(name=f"tool_{i}", parameters={"properties": {f"a{i}": {}}}) for i in range(4_000))
    matcher = compiler.matcher(emit_llguidance(lower(Constraints(tools=tools))))
    begin = matcher.jump_forward()
    assert feed(matcher, f"{begin}x\n    type: tool_call\n    tool: tool_39")
    assert [chr(token) for token in allowed(matcher)] == ["\n", *"0123456789"]
    assert feed(matcher, "99\n    arguments:\n      a")
    assert matcher.jump_forward() == "3999: "


@pytest.mark.parametrize("name", REQUESTS)
def test_masks_equal_those_of_xgrammar_over_bytes(
    name: str, compiler: LlguidanceCompiler, tokenizer: Tokenizer
) -> None:
    pytest.importorskip("xgrammar")
    walk(name, compiler, MaskCompiler(tokenizer, max_threads=1), seeds=range(4), steps=300)


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    """A vocabulary of bytes and of pieces that cross every border in a document."""
    words = [
        "  - id: ",
        "end\n",
        "\n    type: ",
        "assign\n    assign:\n",
        '"]\n',
        '": "',
        "{{ ",
        ' }}"\n',
        " }}",
        'next: ["/',
        '"\n      ',
        '", "/dynamic',
        "tool",
        ": 1",
        "0\n    ",
        "true\n",
        "é",
        "\\n",
        '\\"',
        "{%",
        "{",
        "\n\n",
        "```\n",
        "END AgenticDSL ---\n```",
    ]
    tokens: list[bytes | None] = (
        [bytes([b]) for b in range(256)] + [word.encode() for word in words] + [None, None, b"\xc3", None]
    )
    codec = load_tokenizer("bytes").codec
    specials = {len(tokens) - 4: "<end>", len(tokens) - 1: "<also end>"}
    vocabulary = Pieces(tokens, specials, codec, lambda _: None).vocabulary((len(tokens) - 4, len(tokens) - 1))
    return Tokenizer("pieces", vocabulary, codec)


@pytest.mark.parametrize("name", REQUESTS)
def test_masks_equal_those_of_xgrammar_over_pieces_that_cross_borders(name: str, pieces: Tokenizer) -> None:
    pytest.importorskip("xgrammar")
    walk(name, LlguidanceCompiler(pieces), MaskCompiler(pieces, max_threads=1), seeds=range(4), steps=200)


@pytest.mark.model
def test_masks_equal_those_of_xgrammar_over_a_real_vocabulary() -> None:
    if models.model_path("smollm2") is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    real = load_tokenizer("smollm2")
    walk("tools", LlguidanceCompiler(real), MaskCompiler(real), seeds=range(6), steps=150)


def whole(text: bytes) -> bool:
    """Whether the text ends with a whole character."""
    return text.decode(errors="ignore").encode() == text


def walk(name: str, ours: LlguidanceCompiler, theirs: MaskCompiler, *, seeds: range, steps: int) -> None:
    """Random walks on which both back ends allow the same tokens at every step; closing tokens boosted in half."""
    grammar = lower(REQUESTS[name])
    lark, compiled = emit_llguidance(grammar), theirs.compile(emit_xgrammar(grammar))
    tokens = ours.tokenizer.vocabulary.tokens
    width = ours.tokenizer.vocab_size
    for seed in seeds:
        rng = random.Random(seed)
        left, right = ours.matcher(lark), compiled.matcher()
        taken = b""
        for _ in range(steps):
            there = allowed(left, width)
            assert there == allowed(right, width)
            closing = [t for t in there if (tokens[t] or b"\n")[-1:] in b'"\n]']
            token = rng.choice(closing if closing and seed % 2 and rng.random() < 0.5 else there)
            assert left.accept(token)
            assert right.accept(token)
            taken += tokens[token] or b""
            if whole(taken):  # within a character there is no text to compare
                assert left.jump_forward() == right.jump_forward()
            assert left.is_terminated() == right.is_terminated()
            if left.is_terminated():
                break
