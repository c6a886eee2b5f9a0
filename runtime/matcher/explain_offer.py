"""What a frame offers, as texts and in words. The one file that looks inside frames to explain them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentic_dsl.runtime.matcher.frames import Choice, Done, Either, Fixed, Frame, Run, Words
from agentic_dsl.runtime.matcher.open_words import OpenWord
from agentic_dsl.runtime.matcher.output_keys import ResultPath
from agentic_dsl.runtime.matcher.paths import DynamicPath
from agentic_dsl.runtime.matcher.prose import Mixed, Prose, ProseCharacter
from agentic_dsl.runtime.matcher.queries import QueryNumber, UrlText
from agentic_dsl.runtime.matcher.templates import (
    GuardedRead,
    Index,
    InnerText,
    Member,
    Read,
    Steps,
    TemplateNumber,
)
from agentic_dsl.runtime.matcher.texts import InTemplate, Text
from agentic_dsl.runtime.matcher.values import Number


@dataclass(frozen=True, slots=True)
class Offer:
    """What a frame offers, seen from where the part of the text began that it is in.

    Attributes:
        texts: whole texts that may stand there, in the order of the policy.
        others: what else may stand there, in words.
        back: how many bytes ago the part began.
    """

    texts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    back: int = 0


def offer_of(frame: Frame) -> Offer:
    """What a frame offers."""
    match frame:
        case Done():
            return Offer(others=("the end of the text",))
        case Fixed() | Run():
            return _fixed(frame)
        case Choice():
            return Offer(tuple(_first_line(text) for text, _ in frame.options), back=frame.at)
        case Words():
            return Offer(tuple(map(_text, frame.words)), back=len(frame.typed))
        case OpenWord():
            others = ("a new word",) if frame.fresh else ()
            return Offer(tuple(frame.known), others, len(frame.typed))
        case Mixed():
            block = offer_of(frame.block)
            return Offer(block.texts, (*block.others, "plain text, which begins with a visible character but #"))
        case Either():
            return _either([offer_of(part) for part in frame.frames])
        case InTemplate() | ResultPath():
            return offer_of(frame.inner)
        case Read():
            return Offer(frame.env.roots, back=len(frame.typed))
        case Member():
            others = ("the name of a field",) if frame.fields is None else ()
            return Offer(frame.fields or (), others, len(frame.typed))
        case Steps():
            return Offer((" }}",), ("a step such as .field or [0]",))
        case _:
            return _open(frame)


def _open(frame: Frame) -> Offer:
    """What frames offer that only characters describe."""
    match frame:
        case Text():
            return Offer(others=("text", "the closing quote"), back=len(frame.begun))
        case Number() | TemplateNumber() | QueryNumber():
            return Offer(others=("a number",), back=len(frame.typed))
        case Index():
            return Offer(others=("an index of at most four digits",), back=len(frame.typed))
        case GuardedRead():
            return Offer(others=("a name",), back=len(frame.name))
        case InnerText():
            return Offer(others=('text without quotes and braces, then \\"',), back=len(frame.begun))
        case DynamicPath():
            return Offer(others=("a path below /dynamic that is not the block's own",), back=len(frame.typed))
        case Prose():
            return Offer(others=("plain text",))
        case ProseCharacter():
            return Offer(others=("the rest of a character",))
        case UrlText():
            return Offer(others=("URL-encoded text",))
        case _:
            return Offer(tuple(chr(byte) for byte in frame.allowed() if 0x20 <= byte < 0x7F))


def _fixed(frame: Fixed | Run) -> Offer:
    """The line of the text that is being written."""
    start = frame.text.rfind(b"\n", 0, frame.at) + 1
    return Offer((_first_line(frame.text[start:]),), back=frame.at - start)


def _either(offers: Sequence[Offer]) -> Offer:
    texts = dict.fromkeys(text for offer in offers for text in offer.texts)
    others = dict.fromkeys(other for offer in offers for other in offer.others)
    return Offer(tuple(texts), tuple(others), max(offer.back for offer in offers))


def _first_line(text: bytes) -> str:
    line, newline, _ = text.partition(b"\n")
    return _text(line + newline)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


__all__ = ["Offer", "offer_of"]
