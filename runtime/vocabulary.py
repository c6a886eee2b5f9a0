"""The vocabulary of a tokenizer as bytes: what masks, caches and the matcher know of a tokenizer.

A token either spells bytes or it is blank: special, reserved or unused. Blank tokens are never allowed by a
mask; among them only the end tokens can be generated, and only where the text is complete.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from agentic_dsl.errors import TokenizerError

FILTER_VERSION = 1
"""Counts changes of the rules by which tokens are blanked; part of every fingerprint."""


class Codec(Protocol):
    """How text becomes token ids. The way back goes through the vocabulary alone."""

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: no token is added, no spelling is read as a special token."""
        ...

    def encode_prompt(self, text: str) -> list[int]:
        """The ids of a rendered prompt, in which the spellings of special tokens are those tokens."""
        ...


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """All tokens of a tokenizer, by id. Compared by identity; use `fingerprint` for contents.

    Attributes:
        tokens: the bytes that each token spells, or None where it is blank.
        specials: the spellings of the special tokens, by id. All of these ids are blank.
        eos_token_ids: the tokens that end an answer, the preferred one first. All are blank.
    """

    tokens: tuple[bytes | None, ...] = field(repr=False)
    specials: Mapping[int, str] = field(repr=False)
    eos_token_ids: tuple[int, ...]

    @cached_property
    def missing_bytes(self) -> frozenset[int]:
        """The bytes that no token spells: texts with them can be neither encoded whole nor generated.

        Empty for most tokenizers; SmolLM2 lacks six control characters and what private planes need.
        """
        return frozenset(range(256)).difference(b"".join(token for token in self.tokens if token is not None))

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 over everything that masks depend on, in hexadecimal.

        Two vocabularies with equal fingerprints allow the same tokens in the same places.
        """
        head = {
            "filter": FILTER_VERSION,
            "size": len(self.tokens),
            "eos": self.eos_token_ids,
            "specials": sorted(self.specials.items()),
        }
        digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode())
        # Lengths first: without them ("ab", "c") and ("a", "bc") would be one vocabulary.
        lengths = array("i", (-1 if token is None else len(token) for token in self.tokens))
        digest.update(b",".join(b"%d" % length for length in lengths))
        digest.update(b"".join(token for token in self.tokens if token is not None))
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the file of a tokenizer holds, before it is known which tokens end an answer.

    Attributes:
        tokens: as in `Vocabulary`; owned by whoever receives the pieces.
        specials: as in `Vocabulary`.
        codec: encodes with this file.
        token_id: the id of a token by its spelling, or None.
        eos: spellings of end tokens that the format itself prescribes, the preferred one first.
    """

    tokens: list[bytes | None]
    specials: dict[int, str]
    codec: Codec
    token_id: Callable[[str], int | None]
    eos: tuple[str, ...] = ()

    def vocabulary(self, eos: tuple[int, ...], size: int = 0) -> Vocabulary:
        """Builds the vocabulary, with all end and special tokens blank.

        Args:
            eos: the ids of the end tokens, the preferred one first.
            size: the number of logits of the model, where it is larger than the number of tokens.

        Raises:
            TokenizerError: there is no end token, or one that is not in the vocabulary.
        """
        tokens = self.tokens + [None] * (size - len(self.tokens))
        if not eos:
            raise TokenizerError(
                "the tokenizer does not say which token ends an answer",
                help='name it as "eos_token" in tokenizer_config.json or as "eos_token_id" in generation_config.json',
            )
        for token_id in eos:
            if not 0 <= token_id < len(tokens):
                raise TokenizerError(
                    f"the end token {token_id} is not in the vocabulary of {len(tokens)} tokens",
                    help="use the configuration files that belong to this tokenizer",
                )
        specials = dict(self.specials)
        for token_id in eos:
            specials.setdefault(token_id, (tokens[token_id] or b"").decode("utf-8", "replace"))
        for token_id in specials:
            tokens[token_id] = None
        return Vocabulary(tuple(tokens), specials, tuple(dict.fromkeys(eos)))
