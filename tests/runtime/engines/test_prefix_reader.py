"""Reused beginnings of prompts: the same numbers as without, whatever the cache holds, and never from a bad file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hypothesis import given, settings  # noqa: E402  # after the skip
from hypothesis import strategies as st  # noqa: E402

from agentic_dsl.runtime.engines.embedded.key_values import KeyValues, between  # noqa: E402
from agentic_dsl.runtime.engines.embedded.kv_cache import read_in_place  # noqa: E402
from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits  # noqa: E402
from agentic_dsl.runtime.engines.embedded.prefix_reader import PrefixReader  # noqa: E402
from agentic_dsl.runtime.engines.embedded.tensor_files import TensorFiles  # noqa: E402
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache  # noqa: E402
from agentic_dsl.runtime.prefix_cache.spans import WORTH_A_PASS, Span, stops  # noqa: E402
from agentic_dsl.skills.segments import SegmentKind  # noqa: E402

KINDS = (SegmentKind.SYSTEM_PROMPT, SegmentKind.TOOL_DEFINITION, SegmentKind.SKILL, SegmentKind.QUESTION)
ROOM = 64 << 20


@pytest.fixture(scope="module")
def tiny() -> Any:
    """A random model in float32 with two heads that share keys."""
    torch.manual_seed(5)
    config = transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.4,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    read_in_place(model)
    return model


def spans_of(*lengths: int) -> tuple[Span, ...]:
    """Segments of these lengths, the last one the question."""
    ends = [sum(lengths[:count]) for count in range(len(lengths) + 1)]
    kinds = (*KINDS[: len(lengths) - 1], SegmentKind.QUESTION)
    return tuple(Span(start, end, kind) for (start, end), kind in zip(pairwise(ends), kinds, strict=True))


def tokens(count: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return [int(token) for token in torch.randint(0, 97, (count,), generator=generator)]


SHARED = tokens(90, 1)
SPANS = spans_of(50, 40, 12)


def asked(seed: int) -> list[int]:
    return SHARED + tokens(12, seed)


def fresh(model: Any, prompt: Sequence[int]) -> Any:
    """The logits behind a prompt, all of it read at once."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([list(prompt)])).logits[:, -1, :]


def test_a_reused_prefix_gives_the_logits_of_a_fresh_reading(tiny: Any) -> None:
    prefixes: PrefixCache[KeyValues] = PrefixCache(ROOM)
    for seed in (2, 3, 4):
        source = ModelLogits(tiny, prefixes)
        logits = source.start([asked(seed)], [SPANS])
        assert list(source.reused) == [0 if seed == 2 else 90]
        # Float32: other orders of the same sums. Logits here are about 10.
        torch.testing.assert_close(logits, fresh(tiny, asked(seed)), rtol=0, atol=1e-4)


def test_what_the_cache_holds_changes_no_bit(tiny: Any) -> None:
    plain = ModelLogits(tiny).start([asked(7)], [SPANS])
    prefixes: PrefixCache[KeyValues] = PrefixCache(ROOM)
    half: list[int] = [*SHARED[:50], *tokens(40, 9), *tokens(12, 7)]
    part: list[int] = [*SHARED[:70], *tokens(32, 9)]  # shares the first segment and half of the second
    for before in (part, half, asked(8), asked(7)):
        ModelLogits(tiny, prefixes).start([before], [SPANS])
        assert torch.equal(ModelLogits(tiny, prefixes).start([asked(7)], [SPANS]), plain)


@pytest.mark.parametrize("capacity", [0, 3000, 40_000])
def test_a_cache_that_is_too_small_only_costs_time(tiny: Any, capacity: int) -> None:
    plain = [ModelLogits(tiny).start([asked(seed)], [SPANS]) for seed in range(4)]
    prefixes: PrefixCache[KeyValues] = PrefixCache(capacity)
    for _ in range(2):
        assert all(
            torch.equal(ModelLogits(tiny, prefixes).start([asked(seed)], [SPANS]), plain[seed]) for seed in range(4)
        )
    assert prefixes.statistics().total.bytes <= capacity


def test_rows_of_a_batch_with_prefixes_of_other_lengths_go_on_as_alone(tiny: Any) -> None:
    prompts = [asked(11), tokens(60, 12), [*SHARED[:50], *tokens(20, 13)], tokens(5, 14)]
    spans = [SPANS, spans_of(45, 15), spans_of(50, 20), spans_of(5)]
    prefixes: PrefixCache[KeyValues] = PrefixCache(ROOM)
    ModelLogits(tiny, prefixes).start(prompts[:1], spans[:1])
    source = ModelLogits(tiny, prefixes)
    together = source.start(prompts, spans)
    assert list(source.reused) == [90, 0, 50, 0]
    for row, prompt in enumerate(prompts):
        torch.testing.assert_close(together[row : row + 1], fresh(tiny, prompt), rtol=0, atol=1e-4)


def test_rows_that_share_a_prefix_read_it_once_without_any_cache(tiny: Any) -> None:
    source = ModelLogits(tiny)
    source.start([asked(1), asked(2), asked(3)], [SPANS] * 3)
    assert list(source.reused) == [0, 90, 90]


def test_a_model_with_windows_reads_everything_itself() -> None:
    config = transformers.MistralConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=16,
    )
    model = transformers.MistralForCausalLM(config).eval()
    prefixes: PrefixCache[KeyValues] = PrefixCache(ROOM)
    source = ModelLogits(model, prefixes)
    torch.testing.assert_close(source.start([asked(2)], [SPANS]), fresh(model, asked(2)), rtol=0, atol=1e-4)
    assert list(source.reused) == [0]
    assert prefixes.statistics().total.tokens == 0


@given(st.lists(st.integers(1, 80), min_size=1, max_size=4))
def test_prompts_are_cut_behind_segments_only_and_something_is_left_to_read(lengths: list[int]) -> None:
    spans = spans_of(*lengths)
    cuts = list(stops(spans, sum(lengths)))
    assert set(cuts) <= {span.end for span in spans[:-1]}
    assert all(end - start >= WORTH_A_PASS for start, end in pairwise([0, *cuts]))
    assert all(cut < sum(lengths) for cut in cuts)


@given(st.integers(0, 19), st.integers(1, 20), st.lists(st.integers(1, 6), min_size=1, max_size=5))
@settings(max_examples=50)
def test_pieces_are_joined_and_split_at_any_place(start: int, length: int, sizes: list[int]) -> None:
    whole = torch.arange(2 * 2 * 3 * sum(sizes) * 2).reshape(2, 2, 3, sum(sizes), 2)
    pieces = [KeyValues(part) for part in whole.split(sizes, dim=3)]
    end = min(start + length, sum(sizes))
    if start < end:
        assert torch.equal(between(pieces, start, end).tensor, whole[..., start:end, :])
    if sum(sizes) > 1:
        first, rest = KeyValues(whole).split(1)
        assert (first.tokens, rest.tokens) == (1, sum(sizes) - 1)
        assert first.tensor.untyped_storage().nbytes() == first.nbytes


def saved(model: Any, folder: Path) -> TensorFiles:
    files = TensorFiles("tiny", folder)
    PrefixReader(model, files=files, save=True).read(asked(2), SPANS)
    assert len(list(files.folder.iterdir())) == 2
    return files


def test_another_process_reads_the_prefix_from_files(tiny: Any, tmp_path: Path) -> None:
    plain = ModelLogits(tiny).start([asked(3)], [SPANS])
    source = ModelLogits(tiny, files=saved(tiny, tmp_path))
    assert torch.equal(source.start([asked(3)], [SPANS]), plain)
    assert list(source.reused) == [90]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "renamed"])
def test_a_damaged_file_is_a_miss_and_is_removed(
    tiny: Any, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = saved(tiny, tmp_path)
    path, other = sorted(files.folder.iterdir())
    content = bytearray(path.read_bytes())
    match damage:
        case "cut":
            content = content[: len(content) // 2]
        case "flipped":
            content[-20] ^= 1
        case "empty":
            content = bytearray()
        case "text":
            content = bytearray(b"import os; os.remove('x')")
        case "renamed":
            content = bytearray(other.read_bytes())
    path.write_bytes(content)
    plain = ModelLogits(tiny).start([asked(3)], [SPANS])
    source = ModelLogits(tiny, files=files)
    assert torch.equal(source.start([asked(3)], [SPANS]), plain)
    assert source.reused[0] < 90
    assert "is not used" in caplog.text
    assert not path.exists()


def test_files_of_another_model_are_not_read(tiny: Any, tmp_path: Path) -> None:
    files = saved(tiny, tmp_path)
    stranger = TensorFiles("other", tmp_path)
    stranger.folder.mkdir()
    for path in files.folder.iterdir():
        (stranger.folder / path.name).write_bytes(path.read_bytes())
    source = ModelLogits(tiny, files=stranger)
    source.start([asked(3)], [SPANS])
    assert list(source.reused) == [0]


def test_the_files_that_were_not_used_for_longest_make_room(tiny: Any, tmp_path: Path) -> None:
    files = saved(tiny, tmp_path)
    size = files.nbytes
    assert files.gc(size) == 0
    assert files.gc(size - 1) > 0
    assert files.nbytes < size
    assert files.gc(0) > 0
    assert files.nbytes == 0


def test_a_full_disk_leaves_nothing_behind_and_spoils_no_answer(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from safetensors import SafetensorError

    def full(_: Any, path: str, **__: Any) -> None:
        Path(path).write_bytes(b"half")
        raise SafetensorError("No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    files = TensorFiles("tiny", tmp_path)
    read = PrefixReader(tiny, files=files, save=True).read(asked(2), SPANS)
    assert read.length == 90
    assert list(files.folder.iterdir()) == []
    assert "No space left" in caplog.text


def test_a_folder_that_cannot_be_written_is_a_line_in_the_log(
    tiny: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    files = TensorFiles("tiny", tmp_path / "file")
    assert PrefixReader(tiny, files=files, save=True).read(asked(2), SPANS).length == 90
    assert "not saved" in caplog.text


def test_keys_cannot_leave_the_folder(tmp_path: Path) -> None:
    files = TensorFiles("tiny", tmp_path)
    with pytest.raises(Exception, match="no key"):
        files.load("../x")


def test_what_a_finished_program_used_goes_before_what_an_open_one_uses(tiny: Any) -> None:
    one, other = tokens(64, 21), tokens(64, 22)
    spans = (Span(0, 64, SegmentKind.REASONING_BRANCH), Span(64, 76, SegmentKind.QUESTION))
    room = PrefixReader(tiny).read([*one, *tokens(12, 1)], spans).pieces[0].nbytes
    prefixes: PrefixCache[KeyValues] = PrefixCache(2 * room)
    first, second = prefixes.open_program(), prefixes.open_program()
    ModelLogits(tiny, prefixes, programs=[first]).start([[*one, *tokens(12, 1)]], [spans])
    ModelLogits(tiny, prefixes, programs=[second]).start([[*other, *tokens(12, 2)]], [spans])
    prefixes.close_program(second)
    ModelLogits(tiny, prefixes, programs=[first]).start([[*tokens(64, 23), *tokens(12, 3)]], [spans])
    assert prefixes.peek(one) == 64
    assert prefixes.peek(other) == 0
