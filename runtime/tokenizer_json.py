"""Reads ``tokenizer.json``, the format of the `tokenizers` library, into bytes by token.

Two spellings of tokens are known, and told apart by the decoder that the file names:

- byte level: every byte has its own letter (``Ġ`` is a blank), as GPT-2 introduced it
- sentencepiece: ``▁`` is a blank, ``<0x0A>`` one byte, everything else is UTF-8
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from agentic_dsl.errors import MissingExtraError, TokenizerError
from agentic_dsl.runtime.vocabulary import Pieces

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def read_tokenizer_json(path: Path) -> Pieces:
    """Reads a ``tokenizer.json`` file.

    Raises:
        TokenizerError: the file is damaged, or its tokens do not spell text exactly (as with WordPiece).
        MissingExtraError: the library is not installed.
    """
    try:
        from tokenizers import Tokenizer as Backend
    except ImportError as exc:
        raise MissingExtraError.of("tokenizers", "masks") from exc
    try:
        text = path.read_text(encoding="utf-8")
        backend = Backend.from_str(text)
    # The library raises plain Exception for every malformed file.
    except Exception as exc:
        raise TokenizerError(
            f'"{path}" is not a tokenizer.json file that can be read: {exc}',
            help="fetch the file again, or name a folder that transformers can load",
        ) from exc
    return _pieces(backend, path)


def _pieces(backend: Backend, path: Path) -> Pieces:
    spell = _speller(backend, path)
    added = backend.get_added_tokens_decoder()
    by_spelling = backend.get_vocab(with_added_tokens=True)
    tokens: list[bytes | None] = [None] * (max(by_spelling.values(), default=-1) + 1)
    for spelling, token_id in by_spelling.items():
        tokens[token_id] = spell(spelling)
    specials = {}
    for token_id, token in added.items():
        # An added token stands for its own text, whatever the alphabet of the others is.
        tokens[token_id] = None if token.special else token.content.encode()
        if token.special:
            specials[token_id] = token.content
    return Pieces(tokens, specials, _JsonCodec(_unbounded(backend)), backend.token_to_id)


@dataclass(frozen=True)
class _JsonCodec:
    """Encodes with one backend, or with two where the file puts a blank before every text.

    Whether special tokens are read in a text is a setting of the backend, not of a call: hence the lock.
    """

    backend: Backend
    lock: Lock = field(default_factory=Lock)

    @cached_property
    def _plain(self) -> Backend:
        holders = (self.backend.normalizer, self.backend.pre_tokenizer)
        if not any(_drop_prefix(_state(holder)) for holder in holders if holder is not None):
            return self.backend
        # An answer is a continuation: a blank put before a text would be wrong in the middle of it.
        spec = json.loads(self.backend.to_str())
        _drop_prefix(spec["normalizer"])
        _drop_prefix(spec["pre_tokenizer"])
        return type(self.backend).from_str(json.dumps(spec))

    def encode(self, text: str) -> list[int]:
        return self._encode(self._plain, text, specials=False)

    def encode_prompt(self, text: str) -> list[int]:
        return self._encode(self.backend, text, specials=True)

    def _encode(self, backend: Backend, text: str, *, specials: bool) -> list[int]:
        with self.lock:
            backend.encode_special_tokens = not specials
            return list(backend.encode(text, add_special_tokens=False).ids)


def _unbounded(backend: Backend) -> Backend:
    """Files may carry a truncation or padding that some training run left in them."""
    backend.no_truncation()
    backend.no_padding()
    return backend


def _drop_prefix(component: Any) -> bool:
    """Takes out of a normalizer or pre-tokenizer what puts a blank before a text; says whether there was any."""
    found = False
    for part in _parts(component):
        if part.get("type") == "Prepend":
            # A replacement that never matches: the list around it keeps its length.
            part.clear()
            part.update({"type": "Replace", "pattern": {"String": "\0\0"}, "content": ""})
            found = True
        elif part.get("type") == "Metaspace" and part.get("prepend_scheme", "always") != "never":
            part["prepend_scheme"] = "never"
            found = True
        elif part.get("type") == "ByteLevel" and part.get("add_prefix_space"):
            part["add_prefix_space"] = False
            found = True
    return found


def _parts(component: Any) -> Iterator[dict[str, Any]]:
    """A normalizer, pre-tokenizer or decoder and, where it is a sequence, all that it is made of."""
    if isinstance(component, dict):
        yield component
        for key in ("normalizers", "pretokenizers", "decoders"):
            for inner in component.get(key) or ():
                yield from _parts(inner)


def _speller(backend: Backend, path: Path) -> Callable[[str], bytes]:
    """The function from a token's spelling to its bytes."""
    states = [backend.decoder, backend.pre_tokenizer, backend.normalizer]
    parts = [part for state in states if state is not None for part in _parts(_state(state))]
    types = {part.get("type") for part in parts}
    if "ByteLevel" in types:
        return _byte_level
    if types & {"Metaspace", "ByteFallback"} or any("▁" in json.dumps(p, ensure_ascii=False) for p in parts):
        return _sentencepiece
    raise TokenizerError(
        f'the tokens of "{path}" do not spell text exactly',
        help="use a byte-level or sentencepiece tokenizer: others cannot be constrained to a grammar",
    )


def _state(component: Any) -> Any:
    return json.loads(component.__getstate__())


def _byte_letters() -> dict[int, int]:
    """The letter of each byte, inverted: code point of the letter → byte.

    The table of GPT-2's ``bytes_to_unicode``: printable Latin-1 stands for itself, the other bytes
    follow from U+0100 on, in their order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: byte for byte in printable} | {0x100 + n: byte for n, byte in enumerate(others)}


_BYTE_LETTERS = _byte_letters()
_NOT_LETTERS = re.compile("[^" + "".join(re.escape(chr(letter)) for letter in _BYTE_LETTERS) + "]")


def _byte_level(spelling: str) -> bytes:
    if _NOT_LETTERS.search(spelling):
        return spelling.encode()  # as the library's own decoder does
    return spelling.translate(_BYTE_LETTERS).encode("latin-1")


def _sentencepiece(spelling: str) -> bytes:
    if (byte := _BYTE_PIECE.fullmatch(spelling)) is not None:
        return bytes([int(byte[1], 16)])
    return spelling.replace("▁", " ").encode()
