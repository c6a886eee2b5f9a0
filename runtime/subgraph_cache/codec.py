"""How a cached subgraph lies on disk: a line of JSON and the token ids, under a digest. Nothing in it is believed.

The digest binds the bytes to their key, so that damaged or exchanged entries are found. It is no signature: whoever may
write the file can write it too. What they cannot do is to make an invalid text valid, because it is checked again.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict
from typing import Any

from agentic_dsl.compiler.grammar.enforcement import Level
from agentic_dsl.compiler.pipeline import ReportEntry
from agentic_dsl.runtime.engines.base import Stats
from agentic_dsl.runtime.subgraph_cache.key import FORMAT, LibraryUse
from agentic_dsl.runtime.subgraph_cache.port import CachedSubgraph

MAX_BYTES = 16 << 20
"""The largest entry, written or read."""


class DamagedError(ValueError):
    """Bytes are not an entry that was stored under this key; never leaves the cache."""


def encode(value: CachedSubgraph) -> bytes:
    """The bytes of a value.

    Raises:
        struct.error: a token id is no number of 32 bits.
    """
    record = {
        "format": FORMAT,
        "text": value.text,
        "engine": value.engine,
        "report": [[e.constraint, e.level.value, e.detail, e.checked_detail] for e in value.report],
        "token_ids": len(value.token_ids),
        "prompt_token_ids": len(value.prompt_token_ids),
        "stats": asdict(value.stats),
        "libraries": [[use.path, use.version] for use in value.libraries],
        "skills": list(value.skills),
        "created": value.created,
    }
    ids = (*value.token_ids, *value.prompt_token_ids)
    return json.dumps(record, separators=(",", ":")).encode() + _LINE_END + struct.pack(f"<{len(ids)}I", *ids)


def checksum(digest: str, payload: bytes) -> bytes:
    """SHA-256 of a key's digest and the bytes stored under it."""
    return hashlib.sha256(digest.encode() + payload).digest()


def decode(digest: str, payload: object, digest_of_both: object) -> CachedSubgraph:
    """The value that the bytes hold.

    Raises:
        DamagedError: they are not what was stored.
    """
    if not isinstance(payload, bytes) or len(payload) > MAX_BYTES:
        raise DamagedError("it holds no bytes, or too many")
    if checksum(digest, payload) != digest_of_both:
        raise DamagedError("its digest differs")
    try:
        line, _, ids = payload.partition(_LINE_END)
        return _value(json.loads(line), ids)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, struct.error) as exc:
        raise DamagedError("its fields cannot be read") from exc


def _value(record: dict[str, Any], ids: bytes) -> CachedSubgraph:
    if record["format"] != FORMAT:
        raise DamagedError("its format is unknown")
    text, engine, created = record["text"], record["engine"], record["created"]
    if not (isinstance(text, str) and isinstance(engine, str) and isinstance(created, int | float)):
        raise DamagedError("its fields have other types")
    answer_ids, prompt_ids = _token_ids(ids, record["token_ids"], record["prompt_token_ids"])
    return CachedSubgraph(
        text=text,
        engine=engine,
        report=tuple(
            ReportEntry(str(name), _LEVELS[level], str(detail), None if checked is None else str(checked))
            for name, level, detail, checked in record["report"]
        ),
        token_ids=answer_ids,
        prompt_token_ids=prompt_ids,
        stats=_stats(record["stats"]),
        libraries=libraries_of(record["libraries"]),
        skills=_names(record["skills"]),
        created=float(created),
    )


def libraries_of(record: object) -> tuple[LibraryUse, ...]:
    """The library entries in a list of pairs.

    Raises:
        ValueError: it is no such list.
    """
    if not isinstance(record, list):
        raise ValueError("the libraries are no list")
    return tuple(map(_library, record))


def _library(pair: object) -> LibraryUse:
    match pair:
        case [str(path), str() | None as version] if path.startswith("/"):
            return LibraryUse(path, version)
        case _:
            raise ValueError("a library is no path with a version")


def _names(record: object) -> tuple[str, ...]:
    if not (isinstance(record, list) and all(isinstance(name, str) for name in record)):
        raise DamagedError("its names of skills are no names")
    return tuple(record)


def _token_ids(data: bytes, answer: object, prompt: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids of an answer and of its prompt, so many each: six thousand are read in 0.1 ms, as JSON in 0.5 ms."""
    if not (isinstance(answer, int) and isinstance(prompt, int) and min(answer, prompt) >= 0):
        raise DamagedError("its numbers of token ids are no numbers")
    if len(data) != 4 * (answer + prompt):
        raise DamagedError("its token ids are not as many as it says")
    ids = struct.unpack(f"<{answer + prompt}I", data)
    return ids[:answer], ids[answer:]


def _stats(record: dict[str, Any]) -> Stats:
    return Stats(**{name: kind(record[name]) for name, kind in _STATS.items()})


_LINE_END = b"\n"
"""Ends the JSON, which has none inside."""

_LEVELS = {level.value: level for level in Level}
_STATS = {name: type(zero) for name, zero in asdict(Stats()).items()}
