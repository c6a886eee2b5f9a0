"""Compiled masks on disk: loading one takes a fraction of the time that compiling it takes.

One file an entry, named by the digest of everything that it depends on. A file is written beside and renamed, so
processes need no lock: a reader sees a whole file or none, and two writers of one key write the same thing. A
file that is not exactly what was written is a miss, is logged and removed. Payloads are not compressed: that
would save disk and cost about a quarter of the loading time.

Layout of a file: magic (8 bytes), format, size of the head, size of the payload (u32, u32, u64, little endian), SHA-256
of what follows; then the head (JSON: the inputs of the key, time of writing) and the payload.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from agentic_dsl.errors import CacheError
from agentic_dsl.runtime.folders import cache_folder

_log = logging.getLogger(__name__)

FORMAT = 1
DEFAULT_MAX_BYTES = 1 << 30

_MAGIC = b"ADSLMASK"
_PREFIX = struct.Struct("<8sIIQ32s")
_SUFFIX = ".mask"
_TEMPORARY = ".tmp"
_STALE_SECONDS = 3600.0
_MAX_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class MaskKey:
    """Everything that a compiled mask depends on.

    Attributes:
        grammar: SHA-256 of the grammar text.
        tokenizer: fingerprint of the vocabulary, which includes the filter of special tokens.
        backend: what compiled it.
        backend_version: the release of the backend.
        serialization: the version of the backend's serialised form.
    """

    grammar: str
    tokenizer: str
    backend: str
    backend_version: str
    serialization: str

    @classmethod
    def of(cls, grammar_text: str, **inputs: str) -> MaskKey:
        """The key of a grammar text and the other inputs, by their names."""
        return cls(grammar=hashlib.sha256(grammar_text.encode()).hexdigest(), **inputs)

    @property
    def digest(self) -> str:
        """The name of the entry: a SHA-256 over all inputs and the format of the files."""
        inputs = {"format": FORMAT, **asdict(self)}
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MaskEntry:
    """One entry of the store.

    Attributes:
        key: what it was compiled from and with.
        path: its file.
        nbytes: the size of its file.
        created: when it was written, in seconds since the epoch.
        used: when it was last read or written.
    """

    key: MaskKey
    path: Path
    nbytes: int
    created: float
    used: float


@dataclass(frozen=True, slots=True)
class DamagedEntry:
    """A file of the store that is not what was written, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What `MaskStore.gc` removed, oldest first, and the sizes before and after in bytes."""

    removed: tuple[Path, ...]
    bytes_before: int
    bytes_after: int


class MaskStore:
    """The entries in one folder; any number of threads and processes may use it at once.

    Attributes:
        folder: where the files lie.
        max_bytes: the store's size after each `put`; the entries unused for longest go first.
    """

    def __init__(self, folder: Path | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder if folder is not None else cache_folder() / "masks"
        self.max_bytes = max_bytes

    def path_of(self, key: MaskKey) -> Path:
        """The file that holds, or would hold, an entry."""
        return self.folder / (key.digest + _SUFFIX)

    def get(self, key: MaskKey) -> bytes | None:
        """The payload of an entry, or None. Marks the entry as used now."""
        path = self.path_of(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            _log.warning("mask store: %s cannot be read (%s); compiling instead", path, exc.strerror)
            return None
        try:
            head, payload = _parse(content)
            if _key(head) != key:
                raise _DamagedError("it belongs to another key")
        except _DamagedError as exc:
            self.discard(key, str(exc))
            return None
        with contextlib.suppress(OSError):  # removed meanwhile, or not ours to touch
            os.utime(path)
        return payload

    def put(self, key: MaskKey, payload: bytes) -> Path | None:
        """Writes an entry, replacing one that is there, and keeps the store within its bound.

        Returns:
            The file, or None where the entry alone is larger than the store may be.

        Raises:
            CacheError: the folder cannot be written.
        """
        head = json.dumps({**asdict(key), "created": time.time()}).encode()
        digest = hashlib.sha256(head + payload).digest()
        prefix = _PREFIX.pack(_MAGIC, FORMAT, len(head), len(payload), digest)
        if len(prefix) + len(head) + len(payload) > self.max_bytes:
            _log.warning("mask store: an entry of %d bytes is larger than the store may be", len(payload))
            return None
        path = self.path_of(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, (prefix, head, payload))
        except OSError as exc:
            raise self._unusable(exc) from exc
        self.gc()
        return path

    def discard(self, key: MaskKey, reason: str) -> None:
        """Removes an entry that turned out to be unusable, and says so in the log."""
        path = self.path_of(key)
        _log.warning("mask store: %s is not usable (%s); removed, compiling instead", path, reason)
        with contextlib.suppress(OSError):
            path.unlink()

    def ls(self) -> list[MaskEntry]:
        """All entries whose head can be read, the last used first. Payloads are not read, see `verify`.

        Raises:
            CacheError: the folder cannot be read.
        """
        entries = []
        for path, status in self._files():
            with contextlib.suppress(OSError, _DamagedError), path.open("rb") as stream:
                prefix = stream.read(_PREFIX.size)
                size = _check_prefix(prefix)[0]
                head = _parse_head(stream.read(size))
                entries.append(MaskEntry(_key(head), path, status.st_size, _created(head), status.st_mtime))
        return sorted(entries, key=lambda entry: entry.used, reverse=True)

    def verify(self, *, remove: bool = False) -> list[DamagedEntry]:
        """Reads every entry and returns those that are damaged.

        Args:
            remove: whether damaged files are removed as well.

        Raises:
            CacheError: the folder cannot be read.
        """
        damaged = []
        for path, _ in self._files():
            try:
                head, _ = _parse(path.read_bytes())
                if self.path_of(_key(head)) != path:
                    raise _DamagedError("it belongs to another key")
            except FileNotFoundError:
                continue
            except (OSError, _DamagedError) as exc:
                damaged.append(DamagedEntry(path, str(exc)))
                if remove:
                    with contextlib.suppress(OSError):
                        path.unlink()
        return damaged

    def gc(self, max_bytes: int | None = None) -> Collected:
        """Removes the entries unused for longest until the rest fits, and what killed writers left.

        Args:
            max_bytes: the bound; None is the store's own, 0 removes everything.

        Raises:
            CacheError: the folder cannot be read.
        """
        bound = self.max_bytes if max_bytes is None else max_bytes
        for path, status in self._files(_TEMPORARY):
            if time.time() - status.st_mtime > _STALE_SECONDS:
                path.unlink(missing_ok=True)
        files = sorted(self._files(), key=lambda file: file[1].st_mtime)
        before = after = sum(status.st_size for _, status in files)
        removed = []
        for path, status in files:
            if after <= bound:
                break
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                removed.append(path)
                after -= status.st_size
        return Collected(tuple(removed), before, after)

    def _files(self, suffix: str = _SUFFIX) -> Iterator[tuple[Path, os.stat_result]]:
        """The store's files; those that vanish meanwhile are left out."""
        try:
            paths = sorted(self.folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as exc:
            raise self._unusable(exc) from exc
        for path in paths:
            if path.suffix == suffix:
                with contextlib.suppress(OSError):
                    yield path, path.stat()

    def _unusable(self, exc: OSError) -> CacheError:
        return CacheError(
            f'the mask store "{self.folder}" cannot be used: {exc.strerror or exc}',
            help="free space there, or set AGENTIC_DSL_CACHE_DIR to a folder that can be written",
        )


class _DamagedError(Exception):
    """A file of the store is not what was written; never leaves this module."""


def _check_prefix(prefix: bytes) -> tuple[int, int, bytes]:
    """Sizes of head and payload, and the digest of both."""
    if len(prefix) < _PREFIX.size:
        raise _DamagedError("it is truncated")
    magic, version, head_size, payload_size, digest = _PREFIX.unpack(prefix)
    if magic != _MAGIC:
        raise _DamagedError("it is not a file of this store")
    if version != FORMAT or head_size > _MAX_HEAD:
        raise _DamagedError(f"its format {version} is unknown")
    return head_size, payload_size, digest


def _parse(content: bytes) -> tuple[dict[str, object], bytes]:
    """Head and payload of a file whose every byte was checked."""
    head_size, payload_size, digest = _check_prefix(content[: _PREFIX.size])
    if len(content) != _PREFIX.size + head_size + payload_size:
        raise _DamagedError(f"it has {len(content)} bytes instead of {_PREFIX.size + head_size + payload_size}")
    if hashlib.sha256(memoryview(content)[_PREFIX.size :]).digest() != digest:
        raise _DamagedError("its digest differs")
    border = _PREFIX.size + head_size
    return _parse_head(content[_PREFIX.size : border]), content[border:]


def _parse_head(head: bytes) -> dict[str, object]:
    try:
        content = json.loads(head)
    except (ValueError, RecursionError) as exc:
        raise _DamagedError("its head is not JSON") from exc
    if not isinstance(content, dict):
        raise _DamagedError("its head is not a mapping")
    return content


def _key(head: dict[str, object]) -> MaskKey:
    try:
        return MaskKey(**{name: str(head[name]) for name in MaskKey.__dataclass_fields__})
    except KeyError as exc:
        raise _DamagedError("its head lacks a part of the key") from exc


def _created(head: dict[str, object]) -> float:
    created = head.get("created")
    return float(created) if isinstance(created, int | float) else 0.0


def _write_atomically(path: Path, parts: tuple[bytes, ...]) -> None:
    """Makes ``path`` hold the parts, or leaves it as it was; survives a power failure."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:16] + "-", suffix=_TEMPORARY)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(parts)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
