"""Reads what a model's folder says about its tokenizer: end tokens, number of logits, chat template."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic_dsl.errors import MissingExtraError, TokenizerError
from agentic_dsl.runtime.chat_template import ChatTemplate
from agentic_dsl.runtime.tokenizer_json import read_tokenizer_json
from agentic_dsl.runtime.tokenizer_ranks import read_tekken, read_tiktoken
from agentic_dsl.runtime.vocabulary import Pieces, Vocabulary

# Tried in this order where no configuration file names the end token; the ends of chat turns come first.
_KNOWN_ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "</s>", "<eos>"),
    *("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>"),
)

_HUB_FILES = ("*.json", "*.jinja", "*.tiktoken")


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """A tokenizer read from disk."""

    vocabulary: Vocabulary
    pieces: Pieces
    chat_template: ChatTemplate | None


def read_folder(folder: Path) -> TokenizerFiles:
    """Reads the tokenizer of a folder that transformers can load, or of one with a tekken or tiktoken file.

    Raises:
        TokenizerError: there is no such file in it, or one of its files is damaged.
    """
    found = [folder / "tokenizer.json", *sorted(folder.glob("tekken*.json")), *sorted(folder.glob("*.tiktoken"))]
    for path in found:
        if path.is_file():
            return read_file(path)
    remedy = "name a folder with a tokenizer.json, tekken.json or .tiktoken file"
    if (folder / "tokenizer.model").is_file() or (folder / "vocab.json").is_file():
        remedy = "write a tokenizer.json into it with: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
    raise TokenizerError(f'the folder "{folder}" holds no tokenizer that can be read', help=remedy)


def read_file(path: Path) -> TokenizerFiles:
    """Reads one tokenizer file and the configuration files beside it.

    Raises:
        TokenizerError: the file is damaged or of another sort, or no end token is known.
    """
    pieces = _read_pieces(path)
    folder = path.parent
    tokenizer_config = _read_json(folder / "tokenizer_config.json")
    model_config = _read_json(folder / "config.json")
    size = model_config.get("vocab_size") or _mapping(model_config.get("text_config")).get("vocab_size") or 0
    vocabulary = pieces.vocabulary(
        _eos(pieces, tokenizer_config, _read_json(folder / "generation_config.json"), model_config),
        size if isinstance(size, int) else 0,
    )
    return TokenizerFiles(vocabulary, pieces, _chat_template(folder, tokenizer_config))


def _read_pieces(path: Path) -> Pieces:
    if path.suffix == ".tiktoken":
        return read_tiktoken(path)
    if path.suffix != ".json":
        raise TokenizerError(
            f'"{path}" is not a tokenizer file',
            help="name a tokenizer.json, a tekken.json, a .tiktoken file or a folder that holds one",
        )
    with path.open("rb") as stream:
        tekken = b'"token_bytes"' in stream.read(1 << 16)
    return read_tekken(path) if tekken else read_tokenizer_json(path)


def _eos(
    pieces: Pieces, tokenizer: dict[str, Any], generation: dict[str, Any], model: dict[str, Any]
) -> tuple[int, ...]:
    """The ids of the end tokens, the one that ends a chat turn first.

    The tokenizer's ``eos_token`` is what the chat template prints after an answer, ``generation_config``
    lists all at which engines stop; ``config.json`` often names only the end of pre-training texts, so it is
    asked last.
    """
    named = [*_spellings(tokenizer.get("eos_token")), *pieces.eos]
    ids = [token_id for spelling in named if (token_id := pieces.token_id(spelling)) is not None]
    ids += _ids(generation.get("eos_token_id"))
    ids = ids or _ids(model.get("eos_token_id")) or _ids(_mapping(model.get("text_config")).get("eos_token_id"))
    if not ids:
        known = (pieces.token_id(spelling) for spelling in _KNOWN_ENDS)
        ids = [token_id for token_id in known if token_id is not None and token_id in pieces.specials][:1]
    return tuple(ids)


def _spellings(value: Any) -> list[str]:
    """A special token of a configuration file, which is a string or a mapping with its ``content``."""
    if isinstance(value, dict):
        value = value.get("content")
    return [value] if isinstance(value, str) else []


def _ids(value: Any) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, int) and not isinstance(item, bool)]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _chat_template(folder: Path, config: dict[str, Any]) -> ChatTemplate | None:
    source = config.get("chat_template")
    if isinstance(source, list):  # several templates, by name
        named = {_mapping(item).get("name"): _mapping(item).get("template") for item in source}
        source = named.get("default")
    path = folder / "chat_template.jinja"
    if path.is_file():
        source = _read_text(path)
    if not isinstance(source, str):
        return None
    variables = {
        name: spellings[0]
        for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        if (spellings := _spellings(config.get(name)))
    }
    return ChatTemplate(source, variables)


def _read_json(path: Path) -> dict[str, Any]:
    """The mapping in a configuration file; empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        return _mapping(json.loads(_read_text(path)))
    except ValueError as exc:
        raise TokenizerError(f'"{path}" is not valid JSON: {exc}', help="fetch the file again") from exc


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise TokenizerError(f'"{path}" cannot be read: {exc}', help="fetch the file again") from exc


def fetch_from_hub(name: str) -> Path:
    """The folder with the tokenizer files of a hub repository, from the local hub cache or the network.

    Whether the network is asked at all is the hub library's own setting (``HF_HUB_OFFLINE``).

    Raises:
        TokenizerError: the repository is unknown, not in the cache, or cannot be reached.
        MissingExtraError: the hub library is not installed.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError as exc:
        raise MissingExtraError.of("huggingface_hub", "transformers") from exc
    try:
        return Path(snapshot_download(name, allow_patterns=list(_HUB_FILES)))
    # Its errors derive from OSError, ValueError and those of its HTTP library, by release.
    except Exception as exc:
        reason = str(exc).strip().splitlines() or [type(exc).__name__]
        raise TokenizerError(
            f'the tokenizer "{name}" could not be fetched from the hub: {reason[0]}',
            help="check the name and the network, or name a local folder with its tokenizer.json",
        ) from exc
