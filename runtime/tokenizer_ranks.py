"""Reads vocabularies of ranked byte strings: ``.tiktoken`` files and Mistral's ``tekken.json``.

Both are encoded by the `tiktoken` library. A ``.tiktoken`` file names neither its special tokens nor the
pattern that splits words; `_FAMILIES` holds them for the files that people have.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import MissingExtraError, TokenizerError
from agentic_dsl.runtime.vocabulary import Pieces

if TYPE_CHECKING:
    import tiktoken


@dataclass(frozen=True, slots=True)
class _Family:
    """What a ``.tiktoken`` file does not say: word pattern, special tokens by id, end tokens."""

    pattern: str
    specials: dict[str, int]
    eos: tuple[str, ...]


_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED_WORDS = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_END_OF_TEXT = "<|endoftext|>"

# By the number of ranks: file names vary, counts do not.
_FAMILIES = {
    151_643: _Family(
        _WORDS % r"\p{N}",
        {_END_OF_TEXT: 151_643, "<|im_start|>": 151_644, "<|im_end|>": 151_645},
        ("<|im_end|>", _END_OF_TEXT),
    ),
    100_256: _Family(_WORDS % r"\p{N}{1,3}", {_END_OF_TEXT: 100_257}, (_END_OF_TEXT,)),
    199_998: _Family(_CASED_WORDS, {_END_OF_TEXT: 199_999}, (_END_OF_TEXT,)),
    128_000: _Family(
        _WORDS % r"\p{N}{1,3}",
        {
            "<|begin_of_text|>": 128_000,
            "<|end_of_text|>": 128_001,
            "<|start_header_id|>": 128_006,
            "<|end_header_id|>": 128_007,
            "<|eom_id|>": 128_008,
            "<|eot_id|>": 128_009,
        },
        ("<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"),
    ),
}

# Files up to v7 leave these out; later ones list their own.
_TEKKEN_SPECIALS = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]"),
    *("[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
)


def read_tiktoken(path: Path) -> Pieces:
    """Reads a ``.tiktoken`` file: one base64 token and its rank a line.

    A file of no known family gets a common word pattern and the format's convention that the first id after
    the ranks is ``<|endoftext|>``.

    Raises:
        TokenizerError: the file is damaged.
        MissingExtraError: the library is not installed.
    """
    ranks: dict[bytes, int] = {}
    try:
        for line in path.read_bytes().splitlines():
            if line:
                token, rank = line.split()
                ranks[base64.b64decode(token, validate=True)] = int(rank)
    except (OSError, ValueError, binascii.Error) as exc:
        raise _damaged(path, "a .tiktoken file", exc) from exc
    if not ranks:
        raise _damaged(path, "a .tiktoken file", "it is empty")
    after = max(ranks.values()) + 1
    family = _FAMILIES.get(len(ranks)) or _Family(_WORDS % r"\p{N}{1,3}", {_END_OF_TEXT: after}, (_END_OF_TEXT,))
    return _pieces(path, ranks, family)


def read_tekken(path: Path) -> Pieces:
    """Reads a tekken file: special tokens take the first ids, ranks follow.

    Raises:
        TokenizerError: the file is damaged.
        MissingExtraError: the library is not installed.
    """
    try:
        content: Any = json.loads(path.read_bytes())
        config = content["config"]
        reserved = int(config["default_num_special_tokens"])
        used = int(config["default_vocab_size"]) - reserved
        ranks = {
            base64.b64decode(entry["token_bytes"], validate=True): reserved + int(entry["rank"])
            for entry in content["vocab"][:used]
        }
        listed = content.get("special_tokens")
        specials = (
            {str(entry["token_str"]): int(entry["rank"]) for entry in listed}
            if listed
            else {spelling: n for n, spelling in enumerate(_TEKKEN_SPECIALS)}
        )
        family = _Family(str(config["pattern"]), specials, ("</s>",))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise _damaged(path, "a tekken file", exc) from exc
    if len(ranks) != used or any(rank >= reserved for rank in specials.values()):
        raise _damaged(path, "a tekken file", "its counts do not agree")
    return _pieces(path, ranks, family)


def _pieces(path: Path, ranks: dict[bytes, int], family: _Family) -> Pieces:
    try:
        import tiktoken
    except ImportError as exc:
        raise MissingExtraError.of("tiktoken", "masks") from exc
    specials = family.specials
    tokens: list[bytes | None] = [None] * (max(*ranks.values(), *specials.values()) + 1)
    for token, token_id in ranks.items():
        tokens[token_id] = token
    try:
        encoding = tiktoken.Encoding(path.stem, pat_str=family.pattern, mergeable_ranks=ranks, special_tokens=specials)
    # A pattern that does not compile, or tokens without all single bytes.
    except (ValueError, KeyError) as exc:
        raise _damaged(path, "a tokenizer", exc) from exc
    spellings = {token_id: spelling for spelling, token_id in specials.items()}
    return Pieces(tokens, spellings, _RanksCodec(encoding), specials.get, family.eos)


@dataclass(frozen=True, slots=True)
class _RanksCodec:
    encoding: tiktoken.Encoding

    def encode(self, text: str) -> list[int]:
        return self.encoding.encode_ordinary(text)

    def encode_prompt(self, text: str) -> list[int]:
        return self.encoding.encode(text, allowed_special="all")


def _damaged(path: Path, kind: str, reason: object) -> TokenizerError:
    return TokenizerError(
        f'"{path}" is not {kind} that can be read: {reason}',
        help="fetch the file again, or name a folder that transformers can load",
    )
