"""The cache with room to grow is the cache of transformers; grouped attention is attention over repeated heads."""

from __future__ import annotations

import copy
import random
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer  # noqa: E402
from transformers.integrations.sdpa_attention import repeat_kv  # noqa: E402

from agentic_dsl.runtime.engines.decode import Step  # noqa: E402
from agentic_dsl.runtime.engines.embedded import kv_cache  # noqa: E402
from agentic_dsl.runtime.engines.embedded.kv_cache import (  # noqa: E402
    GrowingLayer,
    grouped_attention,
    read_in_place,
    write_in_place,
)
from agentic_dsl.runtime.engines.embedded.model_logits import ModelLogits  # noqa: E402

LAYERS, HEADS, KEY_SIZE, VALUE_SIZE = 2, 3, 4, 6


def append(caches: tuple[Any, Any], draw: random.Random, rows: int, count: int | None = None) -> None:
    count = draw.randint(1, 7) if count is None else count
    for layer in range(LAYERS):
        keys = torch.randn(rows, HEADS, count, KEY_SIZE)
        values = torch.randn(rows, HEADS, count, VALUE_SIZE)
        answers = [cache.update(keys, values, layer) for cache in caches]
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(*answers, strict=True))


def select_positions(layer: Any, positions: Any) -> None:
    """What `GrowingLayer.select_positions` does, spelled out row by row."""
    if isinstance(layer, GrowingLayer):
        layer.select_positions(positions)
        return
    for name in ("keys", "values"):
        rows = zip(getattr(layer, name), positions, strict=True)
        setattr(layer, name, torch.stack([row[:, chosen] for row, chosen in rows]))


@pytest.mark.parametrize("room", [1, 5, 64])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_to_it_the_cache_holds_what_that_of_transformers_holds(
    seed: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_cache, "ROOM", room)
    draw = random.Random(seed)
    torch.manual_seed(seed)
    theirs, ours = DynamicCache(), DynamicCache()
    rows = 1 + seed % 4
    append((ours, theirs), draw, rows)
    write_in_place(ours)
    assert all(type(layer) is GrowingLayer for layer in ours.layers)
    for _ in range(120):
        length = theirs.get_seq_length()
        match draw.choice(["append"] * 4 + ["crop", "keep", "repeat", "reorder", "positions"]):
            case "append":
                append((ours, theirs), draw, rows)
            case "crop" if length > 1:
                count = draw.randint(0, min(length - 1, 9))
                for cache in (ours, theirs):
                    cache.crop(-count)
            case "keep" if rows > 1:
                chosen = torch.tensor(draw.sample(range(rows), draw.randint(1, rows)))
                rows = len(chosen)
                for cache in (ours, theirs):
                    cache.batch_select_indices(chosen)
            case "repeat" if rows < 4:
                rows *= 2
                for cache in (ours, theirs):
                    cache.batch_repeat_interleave(2)
            case "reorder":
                order = torch.tensor(draw.choices(range(rows), k=rows))
                for cache in (ours, theirs):
                    cache.reorder_cache(order)
            case "positions":
                kept = draw.randint(1, length)
                positions = torch.tensor([sorted(draw.sample(range(length), kept)) for _ in range(rows)])
                for layer in (*ours.layers, *theirs.layers):
                    select_positions(layer, positions)
        assert ours.get_seq_length() == theirs.get_seq_length()
        assert ours.get_mask_sizes(3, 0) == theirs.get_mask_sizes(3, 0)
        for own, other in zip(ours.layers, theirs.layers, strict=True):
            assert torch.equal(own.keys, other.keys)
            assert torch.equal(own.values, other.values)


def test_new_positions_are_written_where_the_old_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_cache, "ROOM", 10)
    layer = GrowingLayer()
    places = set()
    for _ in range(11):
        keys, _ = layer.update(torch.randn(2, HEADS, 1, KEY_SIZE), torch.randn(2, HEADS, 1, VALUE_SIZE))
        places.add(keys.data_ptr())
    assert len(places) == 1
    layer.crop(-4)
    keys, _ = layer.update(torch.randn(2, HEADS, 4, KEY_SIZE), torch.randn(2, HEADS, 4, VALUE_SIZE))
    assert keys.data_ptr() in places
    before = keys.clone()
    keys, _ = layer.update(torch.randn(2, HEADS, 1, KEY_SIZE), torch.randn(2, HEADS, 1, VALUE_SIZE))
    assert keys.data_ptr() not in places
    assert torch.equal(keys[:, :, :-1], before)


def test_chosen_rows_keep_their_room() -> None:
    layer = GrowingLayer()
    layer.update(torch.randn(3, HEADS, 5, KEY_SIZE), torch.randn(3, HEADS, 5, VALUE_SIZE))
    layer.batch_select_indices(torch.tensor([2, 0]))
    place = layer.keys.data_ptr()
    layer.update(torch.randn(2, HEADS, 1, KEY_SIZE), torch.randn(2, HEADS, 1, VALUE_SIZE))
    assert layer.keys.data_ptr() == place


def test_a_cache_that_was_reset_begins_again() -> None:
    layer = GrowingLayer()
    layer.update(torch.randn(3, HEADS, 5, KEY_SIZE), torch.randn(3, HEADS, 5, VALUE_SIZE))
    layer.reset()
    assert layer.get_seq_length() == 0
    layer.batch_select_indices(torch.tensor([0]))  # nothing to choose from, as in transformers
    new = torch.randn(1, HEADS, 2, KEY_SIZE)
    assert torch.equal(layer.update(new, torch.randn(1, HEADS, 2, VALUE_SIZE))[0], new)


def test_only_layers_that_keep_everything_are_replaced() -> None:
    cache = SimpleNamespace(layers=[DynamicLayer(), DynamicSlidingWindowLayer(sliding_window=4)])
    write_in_place(cache)
    assert [type(layer) for layer in cache.layers] == [GrowingLayer, DynamicSlidingWindowLayer]
    first = cache.layers[0]
    write_in_place(cache)
    assert cache.layers[0] is first
    assert write_in_place(None) is None


# Attention

CASES = [(1, True), (1, False), (4, True), (4, False)]


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(("new", "masked"), CASES)
def test_grouped_attention_is_attention_over_repeated_heads(groups: int, new: int, masked: bool) -> None:
    torch.manual_seed(new)
    rows, shared, length = 2, 2, 9 if masked or new == 1 else new
    query = torch.randn(rows, shared * groups, new, 8)
    key, value = torch.randn(rows, shared, length, 8), torch.randn(rows, shared, length, 8)
    mask = torch.ones(rows, 1, new, length, dtype=torch.bool).tril(length - new) if masked else None
    if mask is not None:
        mask[1, :, :, :3] = False
    causal = new > 1 and not masked
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, repeat_kv(key, groups), repeat_kv(value, groups), attn_mask=mask, scale=0.3, is_causal=causal
    )
    module: Any = SimpleNamespace(num_key_value_groups=groups, is_causal=True)
    got, weights = grouped_attention(module, query, key, value, mask, scaling=0.3)
    assert weights is None
    torch.testing.assert_close(got, expected.transpose(1, 2))


def llama(attention: str) -> Any:
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=272,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
        attn_implementation=attention,
    )
    return transformers.LlamaForCausalLM(config).eval()


def test_a_model_that_reads_in_place_gives_the_same_logits() -> None:
    before = llama("sdpa")
    after = copy.deepcopy(before)
    read_in_place(after)
    assert after.config._attn_implementation != before.config._attn_implementation == "sdpa"
    sources = ModelLogits(before), ModelLogits(after)
    prompts = [[*range(1, 50), 7], [*range(1, 50), 9, 9, 8]]
    torch.testing.assert_close(*(source.start(prompts) for source in sources))
    for steps in ([Step(0, [4]), Step(0, [5])], [Step(0, [4, 5, 6]), Step(2, [5])], [Step(1, [1, 2]), Step(0, [3])]):
        torch.testing.assert_close(*(source.step(steps) for source in sources))


def test_a_model_with_another_attention_keeps_it() -> None:
    model = llama("eager")
    read_in_place(model)
    assert model.config._attn_implementation == "eager"


def test_a_short_row_goes_on_alone_where_a_cache_cannot_be_shortened() -> None:
    torch.manual_seed(3)
    config = transformers.MistralConfig(
        vocab_size=60,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=16,
        pad_token_id=None,
        initializer_range=0.4,
    )
    model = transformers.MistralForCausalLM(config).eval()
    together, alone = ModelLogits(model), ModelLogits(model)
    together.start([[5] * 200, [1, 2, 3]])
    together.keep([1])
    alone.start([[1, 2, 3]])
    for token in range(4, 30):
        step = [Step(0, [token])]
        torch.testing.assert_close(together.step(step), alone.step(step), rtol=1e-4, atol=1e-4)
