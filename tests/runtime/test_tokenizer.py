"""Laws and refusals of `agentic_dsl.runtime.tokenizer` and the formats behind it."""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentic_dsl.errors import AgenticDSLError, ModelError, TokenizerError
from agentic_dsl.runtime import models
from agentic_dsl.runtime.tokenizer import Tokenizer, load_tokenizer
from agentic_dsl.runtime.vocabulary import Vocabulary


def _packaged(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {package}, which brings a real vocabulary, is not installed")
    return Path(spec.origin).parent / path


@pytest.fixture(scope="module")
def qwen() -> Tokenizer:
    return load_tokenizer(_packaged("dashscope", "resources/qwen.tiktoken"))


@pytest.fixture(scope="module")
def tekken() -> Tokenizer:
    return load_tokenizer(_packaged("mistral_common", "data/tekken_240911.json"))


@pytest.fixture(scope="module")
def smollm2() -> Tokenizer:
    if models.model_path("smollm2") is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    return load_tokenizer("smollm2")


@pytest.fixture(params=["bytes", "qwen", "tekken", pytest.param("smollm2", marks=pytest.mark.model)])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    name = str(request.param)
    return load_tokenizer(name) if name == "bytes" else request.getfixturevalue(name)


def write_tokenizer_json(folder: Path, *, special: bool = True, **changes: Any) -> Path:
    """A small byte-level tokenizer: all bytes, two merges, ``<|end|>`` and ``<tool>`` as added tokens."""
    from agentic_dsl.runtime.tokenizer_json import _BYTE_LETTERS

    letters = {byte: chr(letter) for letter, byte in _BYTE_LETTERS.items()}
    vocab = {letters[byte]: byte for byte in range(256)} | {"Ġa": 256, "ab": 257}
    added = [
        {"id": 258, "content": "<|end|>", "special": special},
        {"id": 259, "content": "<tool>", "special": False},
    ]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    spec = {
        "version": "1.0",
        "added_tokens": [{**flags, **token} for token in added],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": ["Ġ a", "a b"]},
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(spec | changes), encoding="utf-8")
    return path


def write_sentencepiece_json(folder: Path, pre_tokenizer: dict[str, Any] | None, normalizer: Any) -> Path:
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "ab"]
    decoder = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    spec = {
        "version": "1.0",
        "added_tokens": [{"id": n, "content": pieces[n], **flags} for n in range(3)],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "vocab": {piece: n for n, piece in enumerate(pieces)},
            "merges": ["▁ a", "a b"],
            "byte_fallback": True,
            "unk_token": "<unk>",
        },
    }
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


# What every tokenizer holds to


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=60))
def test_the_bytes_of_the_tokens_of_a_text_are_its_bytes(tokenizer: Tokenizer, text: str) -> None:
    missing = tokenizer.vocabulary.missing_bytes
    text = "".join(character for character in text if missing.isdisjoint(character.encode()))
    ids = tokenizer.encode(text)
    assert b"".join(tokenizer.token_bytes(token_id) or b"" for token_id in ids) == text.encode()
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()


def test_the_spelling_of_a_special_token_is_plain_text_unless_it_is_a_prompt(tokenizer: Tokenizer) -> None:
    for token_id, spelling in tokenizer.vocabulary.specials.items():
        assert tokenizer.special_token_ids.isdisjoint(tokenizer.encode(f"a{spelling}b"))
        assert tokenizer.decode(tokenizer.encode(f"a{spelling}b")) == f"a{spelling}b"
        assert token_id in tokenizer.encode_prompt(f"a{spelling}b")


def test_special_and_end_tokens_are_blank(tokenizer: Tokenizer) -> None:
    assert set(tokenizer.eos_token_ids) <= tokenizer.special_token_ids
    assert all(tokenizer.token_bytes(token_id) is None for token_id in tokenizer.special_token_ids)
    assert tokenizer.decode(tokenizer.special_token_ids) == ""


def test_the_vocabulary_says_which_bytes_it_cannot_spell_and_has_no_empty_token(tokenizer: Tokenizer) -> None:
    vocab = tokenizer.vocab_bytes()
    missing = tokenizer.vocabulary.missing_bytes
    assert len(vocab) == tokenizer.vocab_size
    assert {bytes([byte]) for byte in range(256) if byte not in missing} <= set(vocab)
    assert missing.isdisjoint(range(0x20, 0x7F))
    assert b"" not in vocab


def test_an_id_outside_the_vocabulary_is_refused(tokenizer: Tokenizer) -> None:
    for token_id in (-1, tokenizer.vocab_size):
        with pytest.raises(TokenizerError, match="is not in the vocabulary"):
            tokenizer.token_bytes(token_id)
        with pytest.raises(TokenizerError):
            tokenizer.decode([token_id])


def test_half_of_a_surrogate_pair_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(TokenizerError, match="character 1"):
        tokenizer.encode("a\ud800")
    with pytest.raises(TokenizerError, match="surrogate"):
        tokenizer.encode_prompt("\udfff")


def test_bytes_that_are_not_utf_8_decode_to_the_replacement_character() -> None:
    assert load_tokenizer("bytes").decode([0xE2, 0x82]) == "\ufffd"


def test_threads_that_encode_plain_text_and_prompts_do_not_disturb_each_other(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_tokenizer_json(tmp_path))
    plain, prompt = tokenizer.encode("<|end|>"), tokenizer.encode_prompt("<|end|>")

    def check(n: int) -> bool:
        if n % 2:
            return tokenizer.encode("<|end|>") == plain
        return tokenizer.encode_prompt("<|end|>") == prompt

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(check, range(400)))


# The fingerprint


def _fingerprint(*tokens: bytes | None, eos: tuple[int, ...] = (3,), spelling: str = "<end>") -> str:
    return Vocabulary((*tokens, None), {3: spelling}, eos).fingerprint


def test_the_fingerprint_tells_every_change_of_the_vocabulary() -> None:
    fingerprints = [
        _fingerprint(b"a", b"b", b"c"),
        _fingerprint(b"b", b"a", b"c"),
        _fingerprint(b"a", b"bc", b""),
        _fingerprint(b"a", b"b", None),
        _fingerprint(b"a", b"b", b""),
        _fingerprint(b"a", b"b", b"c", eos=(3, 0)),
        _fingerprint(b"a", b"b", b"c", spelling="<stop>"),
        Vocabulary((b"a", b"b", b"c", None, None), {3: "<end>"}, (3,)).fingerprint,
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    assert _fingerprint(b"a", b"b", b"c") == fingerprints[0]


def test_the_fingerprint_of_the_byte_tokenizer_is_stable() -> None:
    # A change of this value invalidates every cache in the field: it must be meant.
    assert load_tokenizer("bytes").fingerprint == "369708fa518c585c80a67350c8ec638ecd76839247e8bd167aa4832870fae45f"


# tokenizer.json


def test_added_tokens_that_are_not_special_are_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write_tokenizer_json(tmp_path))
    assert tokenizer.token_bytes(259) == b"<tool>"
    assert tokenizer.encode("<tool>") == [259]
    assert tokenizer.special_token_ids == {258}


def test_the_end_token_is_guessed_from_well_known_spellings_only_as_a_last_resort(tmp_path: Path) -> None:
    assert load_tokenizer(write_tokenizer_json(tmp_path)).eos_token_ids == (258,)


def test_the_configuration_files_name_the_end_tokens_with_the_chat_turn_first(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path)
    (tmp_path / "config.json").write_text('{"eos_token_id": 5}')
    assert load_tokenizer(tmp_path).eos_token_ids == (5,)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [7, 258]}')
    assert load_tokenizer(tmp_path).eos_token_ids == (7, 258)
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|end|>"}}')
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.eos_token_ids == (258, 7)
    assert tokenizer.token_bytes(7) is None


def test_the_logits_of_the_model_set_the_size_of_the_vocabulary(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path)
    (tmp_path / "config.json").write_text('{"text_config": {"vocab_size": 320}}')
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.vocab_size == 320
    assert tokenizer.token_bytes(300) is None


def test_a_tokenizer_without_an_end_token_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path, special=False)
    with pytest.raises(TokenizerError, match="which token ends an answer") as caught:
        load_tokenizer(tmp_path)
    assert "eos_token" in (caught.value.help or "")


def test_an_end_token_outside_the_vocabulary_is_refused(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 9999}')
    with pytest.raises(TokenizerError, match="the end token 9999"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("pre_tokenizer", "normalizer"),
    [
        ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, None),
        (
            None,
            {
                "type": "Sequence",
                "normalizers": [
                    {"type": "Prepend", "prepend": "▁"},
                    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                ],
            },
        ),
    ],
    ids=["metaspace", "prepend"],
)
def test_a_sentencepiece_vocabulary_spells_bytes_and_encodes_continuations(
    tmp_path: Path, pre_tokenizer: dict[str, Any] | None, normalizer: Any
) -> None:
    tokenizer = load_tokenizer(write_sentencepiece_json(tmp_path, pre_tokenizer, normalizer))
    assert tokenizer.eos_token_ids == (2,)
    assert tokenizer.token_bytes(3 + 0x0A) == b"\n"
    for text in ("ab", " ab", "a b\n", "日本 a", ""):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    # A prompt keeps the blank that the model was trained to see before a text.
    assert tokenizer.decode(tokenizer.encode_prompt("ab")) == " ab"


def test_a_truncation_left_in_the_file_does_not_cut_texts(tmp_path: Path) -> None:
    limit = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    tokenizer = load_tokenizer(write_tokenizer_json(tmp_path, truncation=limit))
    assert tokenizer.decode(tokenizer.encode("a long text")) == "a long text"


def test_a_vocabulary_that_does_not_spell_text_exactly_is_refused(tmp_path: Path) -> None:
    model = {"type": "WordPiece", "vocab": {"a": 0, "##b": 1, "[UNK]": 2}, "unk_token": "[UNK]"}
    decoder = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    path = write_tokenizer_json(tmp_path, model=model | _WORDPIECE, decoder=decoder, pre_tokenizer=None)
    with pytest.raises(TokenizerError, match="do not spell text exactly"):
        load_tokenizer(path)


_WORDPIECE = {"continuing_subword_prefix": "##", "max_input_chars_per_word": 100}


# Files that cannot be read


@pytest.mark.parametrize("name", ["tokenizer.json", "tekken.json", "qwen.tiktoken"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"version": "1.0"}', b"IQ== x\n"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TokenizerError, match=name):
        load_tokenizer(tmp_path / name)


def test_a_truncated_tekken_file_is_refused(tmp_path: Path) -> None:
    config = {"pattern": ".", "default_vocab_size": 1256, "default_num_special_tokens": 1000}
    vocab = [{"rank": n, "token_bytes": base64.b64encode(bytes([n])).decode(), "token_str": None} for n in range(256)]
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps({"config": config, "vocab": vocab}))
    assert load_tokenizer(path).vocab_size == 1256
    path.write_text(json.dumps({"config": config, "vocab": vocab[:200]}))
    with pytest.raises(TokenizerError, match="counts do not agree"):
        load_tokenizer(path)


def test_a_broken_configuration_file_is_named(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path)
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(TokenizerError, match=r"generation_config\.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", ["model.gguf", "model.safetensors", "notes.txt"])
def test_a_file_of_another_sort_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(TokenizerError, match="is not a tokenizer file"):
        load_tokenizer(tmp_path / name)


def test_a_folder_without_a_readable_tokenizer_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="holds no tokenizer"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(TokenizerError) as caught:
        load_tokenizer(tmp_path)
    assert "save_pretrained" in (caught.value.help or "")


@pytest.mark.parametrize("spec", ["nothing", "", "./a/b", "/no/such/tokenizer.json", "a/b/c"])
def test_an_unknown_tokenizer_is_refused_and_the_known_ones_are_named(spec: str, tmp_path: Path) -> None:
    with pytest.raises(AgenticDSLError) as caught:
        load_tokenizer(spec or str(tmp_path / "none"))
    assert "smollm2" in (caught.value.help or "")


def test_the_embedded_model_is_not_pulled_says_how(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        load_tokenizer("smollm2")
    assert caught.value.help == "run: agentic-dsl models pull smollm2"


# The hub


def test_a_hub_name_is_fetched_and_read_as_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    write_tokenizer_json(tmp_path)
    asked: list[str] = []

    def snapshot_download(name: str, **_: object) -> str:
        asked.append(name)
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    assert load_tokenizer("some/model").name == "some/model"
    assert asked == ["some/model"]


def test_a_hub_that_cannot_be_reached_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")

    def snapshot_download(name: str, **_: object) -> str:
        raise ConnectionError("no route\nand more lines")

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    with pytest.raises(TokenizerError, match=r"could not be fetched from the hub: no route \(help"):
        load_tokenizer("some/model")


# Ranks


def test_qwen_has_its_special_tokens_and_ends_a_turn_with_im_end(qwen: Tokenizer) -> None:
    assert qwen.vocab_size == 151_646
    assert qwen.eos_token_ids == (151_645, 151_643)
    assert qwen.vocabulary.specials == {151_643: "<|endoftext|>", 151_644: "<|im_start|>", 151_645: "<|im_end|>"}
    assert qwen.encode_prompt("<|im_start|>user") == [151_644, 872]


def test_tekken_puts_its_special_tokens_first(tekken: Tokenizer) -> None:
    assert tekken.vocab_size == 131_072
    assert tekken.eos_token_ids == (2,)
    assert tekken.encode("Hello, world") == [22177, 1044, 4304]
    assert tekken.token_bytes(999) is None
    assert tekken.token_bytes(1000) == b"\0"


def test_tekken_encodes_as_its_own_library_does(tekken: Tokenizer) -> None:
    module = pytest.importorskip("mistral_common.tokens.tokenizers.tekken")
    own = module.Tekkenizer.from_file(_packaged("mistral_common", "data/tekken_240911.json"))
    text = '  - id: fetch\n    type: tool_call\n    next: ["/dynamic/plan/b"] Größe 日本'
    assert tekken.encode(text) == own.encode(text, bos=False, eos=False)


def test_a_tiktoken_file_of_no_known_family_ends_with_the_id_after_its_ranks(tmp_path: Path) -> None:
    lines = (f"{base64.b64encode(bytes([byte])).decode()} {byte}\n" for byte in range(256))
    path = tmp_path / "own.tiktoken"
    path.write_text("".join(lines))
    tokenizer = load_tokenizer(path)
    assert tokenizer.eos_token_ids == (256,)
    assert tokenizer.decode(tokenizer.encode("ä")) == "ä"


# Chat templates


def test_a_chat_template_is_rendered_with_its_tokens(tmp_path: Path) -> None:
    write_tokenizer_json(tmp_path)
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}"
        "{% if add_generation_prompt %}answer:{% endif %}"
    )
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>", "chat_template": template}))
    tokenizer = load_tokenizer(tmp_path)
    messages = [{"role": "user", "content": "hi"}]
    assert tokenizer.apply_chat_template(messages) == "user: hi<|end|>\nanswer:"
    assert tokenizer.apply_chat_template(messages, add_generation_prompt=False) == "user: hi<|end|>\n"


def test_a_tokenizer_without_a_chat_template_renders_nothing() -> None:
    assert load_tokenizer("bytes").apply_chat_template([{"role": "user", "content": "hi"}]) is None


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('roles must alternate') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages[3].content }}",
        "{% if %}",
    ],
)
def test_a_template_that_refuses_or_misbehaves_is_an_error_of_ours(tmp_path: Path, template: str) -> None:
    write_tokenizer_json(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(template)
    with pytest.raises(TokenizerError, match="the chat template cannot render"):
        load_tokenizer(tmp_path).apply_chat_template([{"role": "user", "content": "hi"}])


@pytest.mark.model
def test_the_embedded_model_encodes_as_transformers_does(smollm2: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    own = transformers.AutoTokenizer.from_pretrained(models.require_model("smollm2"))
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Plan: 日本 & <b>"}]
    prompt = own.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert smollm2.apply_chat_template(messages) == prompt
    assert smollm2.encode_prompt(prompt) == own.encode(prompt, add_special_tokens=False)
    assert smollm2.eos_token_ids == (own.eos_token_id,) == (2,)
    assert smollm2.vocab_size == 49_152


# Imports


def test_loading_the_byte_tokenizer_imports_no_tokenizer_library() -> None:
    code = (
        "import sys; from agentic_dsl.runtime.tokenizer import load_tokenizer; load_tokenizer('bytes');"
        "heavy = {'torch', 'transformers', 'xgrammar', 'tokenizers', 'tiktoken', 'huggingface_hub', 'numpy', 'jinja2'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
