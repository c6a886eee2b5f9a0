"""Tokenizers as the toolkit sees them: bytes by token id, plain encoding, end and special tokens.

`load_tokenizer` accepts what people have at hand and answers with one class, whatever library is behind it.
The libraries are imported by the adapters only, when a tokenizer of theirs is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentic_dsl.errors import TokenizerError
from agentic_dsl.runtime.chat_template import ChatTemplate
from agentic_dsl.runtime.models import MODELS, require_model
from agentic_dsl.runtime.tokenizer_folder import TokenizerFiles, fetch_from_hub, read_file, read_folder
from agentic_dsl.runtime.vocabulary import Codec, Pieces, Vocabulary

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """One tokenizer, immutable and safe to share between threads.

    Attributes:
        name: how it was asked for, for messages; `fingerprint` identifies it.
        vocabulary: the bytes of its tokens.
        codec: turns text into ids.
        chat_template: how its model was taught to read a conversation, or None.
    """

    name: str
    vocabulary: Vocabulary
    codec: Codec = field(repr=False)
    chat_template: ChatTemplate | None = field(default=None, repr=False)

    @property
    def vocab_size(self) -> int:
        """The number of token ids, unused ones and a model's padding included: the width of a mask."""
        return len(self.vocabulary.tokens)

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer, the preferred one first; never empty."""
        return self.vocabulary.eos_token_ids

    @property
    def special_token_ids(self) -> frozenset[int]:
        """All tokens that are not text, end tokens included."""
        return frozenset(self.vocabulary.specials)

    @property
    def fingerprint(self) -> str:
        """A hexadecimal SHA-256 of the whole vocabulary; equal for tokenizers that masks cannot tell apart."""
        return self.vocabulary.fingerprint

    def encode(self, text: str) -> list[int]:
        """The ids of plain text, as a continuation of other text.

        No token is added, no blank is put before it, and the spelling of a special token is ordinary text.
        Decoding gives the text back, but for bytes that no token spells (see `Vocabulary.missing_bytes`) and
        for what the tokenizer itself normalises, such as composed characters.

        Raises:
            TokenizerError: the text holds half of a surrogate pair, which has no bytes.
        """
        return self.codec.encode(_require_encodable(text))

    def encode_prompt(self, text: str) -> list[int]:
        """The ids of a rendered prompt, such as the result of `apply_chat_template`.

        The spellings of special tokens are read as these tokens. So text that comes from outside must not be
        put into a prompt unexamined, where that matters.

        Raises:
            TokenizerError: as for `encode`.
        """
        return self.codec.encode_prompt(_require_encodable(text))

    def decode_bytes(self, token_ids: Iterable[int]) -> bytes:
        """The bytes that the tokens spell; special and unused tokens spell none.

        Raises:
            TokenizerError: an id is not in the vocabulary.
        """
        return b"".join([self.token_bytes(token_id) or b"" for token_id in token_ids])

    def decode(self, token_ids: Iterable[int]) -> str:
        """The text that the tokens spell, with U+FFFD for bytes that are not UTF-8.

        Raises:
            TokenizerError: an id is not in the vocabulary.
        """
        return self.decode_bytes(token_ids).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes | None:
        """The bytes of one token, or None where it is special or unused.

        Raises:
            TokenizerError: the id is not in the vocabulary.
        """
        if not 0 <= token_id < len(self.vocabulary.tokens):
            raise TokenizerError(
                f'the token {token_id} is not in the vocabulary of "{self.name}", which has {self.vocab_size} tokens',
                help="use the tokenizer that belongs to the model",
            )
        return self.vocabulary.tokens[token_id]

    def vocab_bytes(self) -> list[bytes | None]:
        """The bytes of all tokens by id, None where a token is special or unused; a new list."""
        return list(self.vocabulary.tokens)

    def apply_chat_template(
        self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool = True
    ) -> str | None:
        """The prompt text of a conversation, or None where the tokenizer has no chat template.

        Args:
            messages: mappings with ``role`` and ``content``.
            add_generation_prompt: whether the text ends where the model's answer begins.

        Raises:
            TokenizerError: the template refuses these messages.
        """
        if self.chat_template is None:
            return None
        return self.chat_template.render(messages, add_generation_prompt=add_generation_prompt)


def load_tokenizer(spec: str | Path) -> Tokenizer:
    """Loads a tokenizer.

    Args:
        spec: one of

            - ``"bytes"``: every byte is a token; needs no file and no library
            - the name of an embedded model, such as ``"smollm2"``
            - a folder that transformers can load
            - a ``tokenizer.json``, a ``tekken.json`` or a ``.tiktoken`` file
            - the name of a hub repository, such as ``"organisation/model"``

    Raises:
        TokenizerError: there is no such tokenizer, it is damaged, or it has no end token.
        ModelError: the embedded model is not pulled.
        MissingExtraError: the library for this kind of file is not installed.
    """
    name = str(spec)
    if name == "bytes":
        return _byte_tokenizer()
    if name in MODELS:
        return _tokenizer(name, read_folder(require_model(name)))
    path = Path(name).expanduser()
    if path.is_dir():
        return _tokenizer(path.resolve().name, read_folder(path))
    if path.exists():
        return _tokenizer(path.name, read_file(path))
    if isinstance(spec, str) and _HUB_NAME.fullmatch(name) and path.suffix not in (".json", ".tiktoken"):
        return _tokenizer(name, read_folder(fetch_from_hub(name)))
    raise TokenizerError(
        f'there is no tokenizer "{name}"',
        help=f"name a folder, a tokenizer file, a hub repository or one of: bytes, {', '.join(MODELS)}",
    )


def _tokenizer(name: str, files: TokenizerFiles) -> Tokenizer:
    return Tokenizer(name, files.vocabulary, files.pieces.codec, files.chat_template)


def _require_encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise TokenizerError(
            f"the text holds half of a surrogate pair at character {exc.start}",
            help="decode the text again from its source, with the right encoding",
        ) from exc
    return text


_BYTE_SPECIALS = {256: "<|endoftext|>", 257: "<|im_start|>", 258: "<|im_end|>", 259: "<|pad|>"}


class _ByteCodec:
    """Every byte of the UTF-8 text is one token."""

    _special = re.compile("(" + "|".join(map(re.escape, _BYTE_SPECIALS.values())) + ")")

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def encode_prompt(self, text: str) -> list[int]:
        ids = {spelling: token_id for token_id, spelling in _BYTE_SPECIALS.items()}
        pieces = self._special.split(text)
        return [token_id for piece in pieces for token_id in ([ids[piece]] if piece in ids else self.encode(piece))]


def _byte_tokenizer() -> Tokenizer:
    """The tokenizer of the core's own tests: 256 bytes, ``<|endoftext|>`` as 256, and three specials more."""
    tokens: list[bytes | None] = [bytes([byte]) for byte in range(256)]
    codec = _ByteCodec()
    pieces = Pieces(tokens + [None] * len(_BYTE_SPECIALS), dict(_BYTE_SPECIALS), codec, lambda _: None)
    return Tokenizer("bytes", pieces.vocabulary((256,)), codec)
