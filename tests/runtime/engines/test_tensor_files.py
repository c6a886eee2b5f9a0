"""Keys and values in files: what is proven stays so, and what goes wrong with a file costs no answer."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
transformers = pytest.importorskip("transformers")

from agentic_dsl.errors import CacheError  # noqa: E402  # after the skip
from agentic_dsl.runtime.engines.embedded.key_values import KeyValues  # noqa: E402
from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits  # noqa: E402
from agentic_dsl.runtime.engines.embedded.prefix_reader import Prefix, PrefixReader  # noqa: E402
from agentic_dsl.runtime.engines.embedded.tensor_files import TensorFiles  # noqa: E402
from agentic_dsl.runtime.prefix_cache.payload import Shelf  # noqa: E402
from agentic_dsl.runtime.prefix_cache.prefix_cache import PrefixCache  # noqa: E402
from agentic_dsl.runtime.prefix_cache.selector import Selector  # noqa: E402
from agentic_dsl.runtime.prefix_cache.spans import Span  # noqa: E402
from agentic_dsl.skills.segments import SegmentKind  # noqa: E402

SPANS = (Span(0, 40, SegmentKind.SYSTEM_PROMPT), Span(40, 80, SegmentKind.SKILL), Span(80, 90, SegmentKind.QUESTION))
PROMPT = [number % 97 for number in range(90)]


def numbers(seed: int = 0, tokens: int = 50, dtype: Any = None) -> KeyValues:
    generator = torch.Generator().manual_seed(seed)
    return KeyValues(torch.randn(2, 2, 3, tokens, 4, generator=generator).to(dtype or torch.float32))


@pytest.fixture
def files(tmp_path: Path) -> TensorFiles:
    return TensorFiles("tiny", tmp_path)


def file_of(files: TensorFiles, key: str) -> Path:
    return files.folder / f"{key}.safetensors"


def damage(path: Path) -> None:
    """Writes over the numbers in place, as no process of ours does."""
    with path.open("r+b") as file:
        file.seek(-64, os.SEEK_END)
        file.write(b"\x00\x00\x80\x3f" * 16)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_is_stored_is_loaded_bit_for_bit(files: TensorFiles, dtype: str) -> None:
    stored = numbers(dtype=getattr(torch, dtype))
    size = files.store("a", stored)
    assert size == file_of(files, "a").stat().st_size == files.nbytes > stored.nbytes
    loaded = files.load("a")
    assert loaded is not None
    assert loaded.tensor.dtype is stored.tensor.dtype
    assert torch.equal(loaded.tensor, stored.tensor)
    assert files.load("b") is None
    assert not files.holds("b")


def test_a_part_of_something_larger_is_stored_as_what_it_is(files: TensorFiles) -> None:
    whole = numbers(tokens=50)
    files.store("a", whole.first(20))
    loaded = files.load("a")
    assert loaded is not None
    assert torch.equal(loaded.tensor, whole.tensor[..., :20, :])
    assert files.nbytes < whole.nbytes


def test_a_file_that_is_changed_after_it_was_proven_changes_no_numbers(files: TensorFiles) -> None:
    stored = numbers()
    files.store("a", stored)
    loaded = files.load("a")
    assert loaded is not None
    damage(file_of(files, "a"))
    assert torch.equal(loaded.tensor, stored.tensor)
    os.truncate(file_of(files, "a"), 10)  # a mapped file would end the process now
    assert torch.equal(loaded.tensor, stored.tensor)
    assert files.load("a") is None


def test_what_comes_from_the_disk_to_memory_is_no_longer_the_file(files: TensorFiles) -> None:
    cache: PrefixCache[KeyValues] = PrefixCache(1 << 20, tiers={"disk": Shelf(files)})
    stored = numbers(tokens=40)
    cache.insert(PROMPT[:40], lambda start, end: stored.first(end), SPANS[:1])
    everything = Selector(kind=SegmentKind.SYSTEM_PROMPT)
    assert cache.move(everything, "disk") == 40
    assert cache.move(everything, "memory") == 40
    [path] = files.folder.iterdir()
    os.truncate(path, 10)
    with cache.acquire(PROMPT) as lease:
        assert torch.equal(torch.cat([piece.tensor for piece in lease.payloads], dim=3), stored.tensor)


def test_a_file_that_may_only_be_read_is_read_and_stays(files: TensorFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.store("a", numbers())

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", forbidden)
    monkeypatch.setattr(Path, "unlink", forbidden)
    assert files.load("a") is not None
    assert files.store("a", numbers()) > 0
    damage(file_of(files, "a"))
    assert files.load("a") is None, "a damaged one is a miss although it cannot be removed"
    assert file_of(files, "a").exists()


def test_a_folder_that_may_not_be_looked_into_holds_nothing(
    files: TensorFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files.store("a", numbers())

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", forbidden)
    monkeypatch.setattr(Path, "stat", forbidden)
    assert not files.holds("a")
    assert files.load("a") is None
    assert "Permission denied" in caplog.text


def test_numbers_of_another_length_than_the_text_are_read_anew(files: TensorFiles, caplog: Any) -> None:
    model = tiny(transformers.LlamaForCausalLM, llama())
    PrefixReader(model, files=files, save=True).read(PROMPT, SPANS)
    for path in files.folder.iterdir():
        key = path.stem
        loaded = files.load(key)
        assert loaded is not None
        files.delete(key)
        files.store(key, loaded.first(30))
    plain = ModelLogits(model).start([PROMPT], [SPANS])
    source = ModelLogits(model, files=files)
    assert torch.equal(source.start([PROMPT], [SPANS]), plain)
    assert list(source.reused) == [0]


def test_a_beginning_that_is_stored_again_counts_as_used(files: TensorFiles) -> None:
    for age, key in ((300, "root"), (200, "old"), (100, "new")):
        files.store(key, numbers())
        os.utime(file_of(files, key), (time.time() - age,) * 2)
    assert files.touched("root")
    assert not files.touched("nowhere")
    files.gc(files.nbytes - 1)
    assert [files.holds(key) for key in ("root", "old", "new")] == [True, False, True]
    os.utime(file_of(files, "root"), (1, 1))
    files.store("root", numbers())
    assert file_of(files, "root").stat().st_mtime > 1


def test_what_was_left_half_written_long_ago_is_removed(files: TensorFiles) -> None:
    files.store("a", numbers())
    old, new = files.folder / "x.part", files.folder / "y.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert files.gc() == 4
    assert sorted(path.name for path in files.folder.iterdir()) == ["a.safetensors", "y.part"]


def test_files_take_no_more_than_they_may(tmp_path: Path) -> None:
    room = TensorFiles("sized", tmp_path).store("a", numbers())
    files = TensorFiles("tiny", tmp_path, max_bytes=2 * room + 10)
    for number in range(5):
        files.store(f"k{number}", numbers(number))
        assert files.nbytes <= 2 * room + 10
    assert TensorFiles("none", tmp_path, max_bytes=10).store("a", numbers()) == 0


FULL = """
import resource, sys, torch
from pathlib import Path
from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.engines.embedded.key_values import KeyValues
from agentic_dsl.runtime.engines.embedded.tensor_files import TensorFiles
files = TensorFiles("tiny", Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    files.store("a", KeyValues(torch.zeros(2, 2, 3, 5000, 4)))
except CacheError as exc:
    print(exc.help)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the sizes of files")
def test_where_the_system_writes_no_more_nothing_is_left_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "free space, or give another folder\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["../x", "", "a/b", "a.b", "x" * 129, "a\n"])
def test_keys_are_names_and_no_paths(files: TensorFiles, key: str) -> None:
    for call in (files.load, files.holds, files.touched, files.delete):
        with pytest.raises(CacheError, match="no key"):
            call(key)


# Models


def llama() -> Any:
    return transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.4,
    )


def tiny(model_class: Any, config: Any) -> Any:
    torch.manual_seed(1)
    return model_class(config).eval()


def test_a_model_whose_values_have_another_size_than_its_keys_reads_everything_itself() -> None:
    config = transformers.DeepseekV2Config(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        n_routed_experts=2,
        num_experts_per_tok=1,
        n_group=1,
        topk_group=1,
        kv_lora_rank=8,
        q_lora_rank=8,
        qk_nope_head_dim=8,
        qk_rope_head_dim=4,
        v_head_dim=8,
        first_k_dense_replace=1,
        n_shared_experts=1,
    )
    model = tiny(transformers.DeepseekV2ForCausalLM, config)
    plain = ModelLogits(model).start([PROMPT])
    source = ModelLogits(model, PrefixCache(1 << 20))
    torch.testing.assert_close(source.start([PROMPT], [SPANS]), plain, rtol=0, atol=1e-4)
    assert list(source.reused) == [0]
    assert PrefixReader(model).read(PROMPT, SPANS) == Prefix()


def test_a_batch_keeps_no_second_copy_of_what_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    import gc
    import weakref

    model = tiny(transformers.LlamaForCausalLM, llama())
    made: list[Any] = []
    read = PrefixReader.read

    def watched(self: PrefixReader, *arguments: Any) -> Prefix:
        prefix = read(self, *arguments)
        made.extend(weakref.ref(piece.tensor) for piece in prefix.pieces)
        return prefix

    monkeypatch.setattr(PrefixReader, "read", watched)
    source = ModelLogits(model)
    source.start([PROMPT, PROMPT], [SPANS, SPANS])
    gc.collect()
    assert len(made) == 4
    assert [ref() for ref in made] == [None] * 4
    assert source.takes_back


def test_pieces_of_files_come_to_where_the_model_is(tmp_path: Path) -> None:
    TensorFiles("tiny", tmp_path).store("a", numbers())
    loaded = TensorFiles("tiny", tmp_path, device="meta").load("a")
    assert loaded is not None
    assert loaded.tensor.device.type == "meta"


def test_a_tier_that_cannot_write_leaves_the_segment_in_memory(
    files: TensorFiles, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    cache: PrefixCache[KeyValues] = PrefixCache(1 << 20, tiers={"disk": Shelf(files)})
    stored = numbers(tokens=40)
    cache.insert(PROMPT[:40], lambda start, end: stored.first(end), SPANS[:1])
    with caplog.at_level(logging.WARNING):
        assert cache.move(Selector(kind=SegmentKind.SYSTEM_PROMPT), "disk") == 0
    assert "No space left" in caplog.text
    assert cache.peek(PROMPT) == 40
