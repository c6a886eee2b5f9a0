"""A folder with a random Llama and a tokenizer of bytes, which `TransformersEngine` loads in a moment."""

from __future__ import annotations

import json
from pathlib import Path

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_tiny_model(folder: Path, *, context: int = 16_384) -> Path:
    """Writes the model in float32, and gives the folder."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=272,  # more logits than the tokenizer has tokens
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        initializer_range=0.4,  # far from uniform, so that near ties do not hide a mistake
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    _write_tokenizer(folder)
    return folder


def _write_tokenizer(folder: Path) -> None:
    from agentic_dsl.runtime.tokenizer_json import _BYTE_LETTERS

    specials = {"<|im_start|>": 256, "<|im_end|>": 257}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    spec = {
        "version": "1.0",
        "added_tokens": [{"id": number, "content": text, **flags} for text, number in specials.items()],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {chr(code): byte for code, byte in _BYTE_LETTERS.items()}, "merges": []},
    }
    settings = {"eos_token": "<|im_end|>", "chat_template": CHATML}
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
