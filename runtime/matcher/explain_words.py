"""What was expected at a place, in the words of the language, and the legal texts nearest to what is written."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from heapq import nlargest

from agentic_dsl.node_table import NODE_TABLE
from agentic_dsl.runtime.matcher.explain_place import Place, Role, key_of
from agentic_dsl.runtime.matcher.frames import Frame
from agentic_dsl.runtime.matcher.texts import InTemplate, Text

_MOST_ALTERNATIVES = 5
_MOST_NAMED = 8
"""How many legal texts a sentence names before it counts the others."""

_MOST_COMPARED = 10_000


def expected_at(place: Place) -> str:
    """What was expected, as what follows "expected"."""
    words = [word for word in legal_words(place) if word]
    match place.role:
        case Role.ID:
            return _expected_id(place)
        case Role.TYPE:
            return _one_of("the type", "one of the types", words)
        case Role.LINE:
            return _expected_line(place, words)
        case Role.NAME if words:
            return _one_of(f"the {_called(place)}", f"a {_called(place)}:", words)
        case Role.CHOICE:
            return _one_of("the word", "one of", words)
        case Role.KEY:
            return _expected_key(place, words)
        case Role.REFERENCE:
            return _expected_reference(place, words)
        case Role.QUERY:
            return _expected_query(place)
        case Role.TEMPLATE if words:
            return _one_of("the name that is available here:", "a name that is available here:", words)
        case Role.FIELD if words:
            return _one_of("the one field of the result:", "a field of the result:", words)
        case Role.LIST:
            ways = {"]": "the end of the list", ",": "one more item"}
            return " or ".join(ways["]" if "]" in text else ","] for text in place.offer.texts)
        case Role.AFTER:
            return "the end of the line"
        case Role.TEXT:
            return _expected_text(place)
        case _:
            return _expected_others(place, words)


def _called(place: Place) -> str:
    return "tool" if place.field is None or place.field.name == "tool" else place.field.name


def _expected_id(place: Place) -> str:
    doc = place.doc
    if not doc.is_first:
        names = [name for name in doc.pending if name in place.offer.texts] or list(place.offer.texts)
        what = "the id of the node that is named and not yet declared:"
        return _one_of(what, "the id of a node that is named and not yet declared:", names)
    return f"a new id: a word of a-z, 0-9 and _ of at most {doc.plan.max_word} characters"


def _expected_line(place: Place, words: Sequence[str]) -> str:
    doc = place.doc
    if not doc.is_first and not place.offer.others and all(text.startswith("# ---") for text in place.offer.texts):
        return "the end of the block, since every node that is named is declared"
    if (key := key_of(place.word)) is not None:
        texts = [text.strip() for text in place.offer.texts if key_of(text) == key]
        if texts:
            return f"`{texts[0]}`"
    node = any(text.startswith("  - id:") for text in place.offer.texts)
    lines = [word for word in words if word not in (_NODE_WORDS, _END_WORDS)]
    parts = [_one_of("the line", "one of the lines", lines)] if lines else []
    if node:
        names = ", ".join(f"`{name}`" for name in list(doc.pending)[:_MOST_NAMED])
        parts.append(f"the next node ({names} named and not yet declared)" if names else "a node")
    if any(text.startswith("# ---") for text in place.offer.texts):
        parts.append("the end of the block")
    return " or ".join(parts) or _expected_others(place, words)


def _expected_key(place: Place, words: Sequence[str]) -> str:
    new = bool(place.offer.others)
    if NODE_TABLE[place.doc.node.type].is_end:
        return _one_of("the name that is available here:", "a name that is available here:", words)
    if not new:
        return _one_of("the one field of the result that is left:", "a field of the result:", words)
    if words:
        return f"a key: {_one_of('the required', 'one of the required', words)}, or a new word"
    return f"a key: a new word of a-z, 0-9 and _ of at most {place.doc.plan.max_word} characters"


def _expected_reference(place: Place, words: Sequence[str]) -> str:
    prefix = place.doc.block.prefix.decode()
    whole = [word for word in words if word != prefix]
    if place.line.endswith(prefix):
        whole = [prefix + word for word in words]
        new = bool(place.offer.others)
    else:
        new = prefix in place.offer.texts
    parts = [_one_of("the reference", "one of the references", whole)] if whole else []
    if new:
        parts.append(f"a node: `{prefix}` and an id")
    return ", or ".join(parts)


def _expected_query(place: Place) -> str:
    names = [text.strip("?&=") for text in place.offer.texts if text.endswith("=")]
    parts = [_one_of("the input", "one of the inputs", names)] if names else []
    ends = ["the closing quote"] if any(text.startswith('"') for text in place.offer.texts) else []
    return " or ".join([*parts, *ends, *place.offer.others]) or "the rest of the call"


def _expected_text(place: Place) -> str:
    frame = place.frame
    if not isinstance(frame, Text):
        return _expected_others(place, legal_words(place))
    if frame.used >= frame.most:
        return f"the closing quote: the text has {frame.used} characters"
    if frame.used < frame.least:
        return "text: at least one character"
    return "text or the closing quote"


def _expected_others(place: Place, words: Sequence[str]) -> str:
    named = {'"': _quoted(place), "[": "a list"} if place.role in (Role.VALUE, Role.TEXT) else {}
    texts = [text for text in words if text.strip() and text not in named]
    if not texts and not named:
        texts = ["a blank line" if text == "\n" else repr(text)[1:-1] for text in place.offer.texts]
    parts = [_one_of("", "one of", texts)] if texts else []
    kinds = [kind for text, kind in named.items() if text in words]
    return " or ".join([*parts, *kinds, *place.offer.others]).strip()


def _quoted(place: Place) -> str:
    """What may stand between the quotes of a value."""
    only_template = isinstance(place.frame.step(ord('"')), InTemplate)
    return "a template in double quotes" if only_template else "text in double quotes"


def _one_of(one: str, several: str, words: Sequence[str]) -> str:
    named = ", ".join(f"`{word}`" for word in words[:_MOST_NAMED])
    more = f" and {len(words) - _MOST_NAMED:,} others" if len(words) > _MOST_NAMED else ""
    return f"{one if len(words) == 1 else several} {named}{more}".strip()


# --- legal texts -----------------------------------------------------------------------------------------------------

_NODE_WORDS, _END_WORDS = "- id:", "# --- END AgenticDSL ---"


def legal_words(place: Place) -> tuple[str, ...]:
    """The texts that may stand at a place, as people write them."""
    texts = dict.fromkeys(_shown(place, text) for text in place.offer.texts)
    if place.role is Role.TEMPLATE:
        return _one_spelling(place.word, [text for text in texts if text])
    return tuple(text for text in texts if text)


def _one_spelling(written: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Of the four ways to read a name, the one that is written."""
    ways = ("$.inputs.", "inputs.", "$.")
    way = next((way for way in ways if written.startswith(way)), "")
    if way:
        return tuple(text for text in texts if text.startswith(way)) or tuple(texts)
    return tuple(text for text in texts if not text.startswith(ways)) or tuple(texts)


def _shown(place: Place, text: str) -> str:
    match place.role:
        case Role.LINE:
            if text.startswith("  - id:"):
                return _NODE_WORDS
            return key_of(text) or text.strip()
        case Role.REFERENCE:
            return text.rstrip('"]\n')
        case _:
            return text.strip("\n") if text.strip() else text


def alternatives_at(place: Place) -> tuple[str, ...]:
    """The legal texts nearest to what is written, the nearest first."""
    words = legal_words(place)
    written = place.word.strip().strip('"')
    if place.role is Role.REFERENCE:
        prefix = place.doc.block.prefix.decode()
        if place.line.endswith(prefix):
            words, written = tuple(prefix + word for word in words), prefix + written
        else:
            ids = [name for name in place.doc.pending if name not in place.doc.node.listed]
            named = [prefix + name for name in ids] if prefix in words else []
            words = tuple(word for word in (*named, *words) if word != prefix)
    if place.role is Role.LINE:
        written = key_of(place.word) or written
        if written in words:
            return ()  # the line may stand here, only not as it is written
    return nearest(written, [word for word in words if any(map(str.isalnum, word))])


def nearest(written: str, words: Sequence[str]) -> tuple[str, ...]:
    """At most five of the words, those most like ``written`` first; where several are, the earlier ones."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(written)

    def likeness(word: str) -> float:
        matcher.set_seq1(word)
        return matcher.ratio()

    if len(words) > _MOST_COMPARED:
        words = [word for word in words if word[:1] == written[:1]][:_MOST_COMPARED] or words[:_MOST_COMPARED]
    ranked = nlargest(_MOST_ALTERNATIVES, enumerate(words), key=lambda item: (likeness(item[1]), -item[0]))
    return tuple(word for _, word in ranked)


def policy_line(frame: Frame) -> str:
    """What the completion policy writes from a frame to the end of its line."""
    line = b""
    while not frame.is_final and b"\n" not in line:
        text, frame = frame.policy()
        line += text
    return line.partition(b"\n")[0].decode("utf-8", "replace")


__all__ = ["alternatives_at", "expected_at", "legal_words", "nearest", "policy_line"]
