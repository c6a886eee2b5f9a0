"""`CacheKey`: everything that a generated subgraph depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import agentic_dsl
from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.format import format_document
from agentic_dsl.node_references import reference_fields, references_in
from agentic_dsl.paths import Version

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library, LibraryEntry
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.runtime.engines.base import Sampling

FORMAT = 2
"""Of keys and entries; part of every key."""

_NO_LIBRARY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class CacheKey:
    """The inputs of one generation; texts that may be long or private as SHA-256 in hex.

    Attributes:
        path: of the generated block, for invalidation.
        context: digest of the context signature.
        signature: digest of the signature that is asked for.
        constraints: digest of all constraints, the two above included.
        prompt: digest of the task.
        library: digest of the content of the library that references may name.
        engine: the engine and its model, see `Engine.name`.
        sampling: digest of how tokens are chosen, the seed included.
        options: what else changes an answer, in words of the caller's.
        toolkit: the version of this package, which lays out prompts and judges answers.
    """

    path: str
    context: str
    signature: str
    constraints: str
    prompt: str
    library: str
    engine: str
    sampling: str
    options: str
    toolkit: str

    @cached_property
    def digest(self) -> str:
        """The name of the entry: SHA-256 over all inputs and the format."""
        return _digest({"format": FORMAT, **asdict(self)})


@dataclass(frozen=True, slots=True, order=True)
class LibraryUse:
    """A library entry that a cached subgraph may call. Version None is whichever there is."""

    path: str
    version: str | None = None

    def is_hit(self, prefix: str, pattern: str | None) -> bool:
        """Whether a change below a path, in one version (``1`` is every ``1.x.y``) or in all, concerns it.

        It concerns a version of its own that cannot be read, as one in a damaged file.

        Raises:
            ValueError: the pattern is no version.
        """
        if not below(self.path, prefix):
            return False
        if pattern is None or self.version is None:
            return True
        changed = version_of(pattern)
        try:
            own = version_of(self.version)
        except ValueError:
            return True
        return changed.matches(own)


def cache_key(
    prompt: str,
    constraints: Constraints,
    *,
    engine: str,
    sampling: Sampling,
    library: Library | None = None,
    options: str = "",
) -> CacheKey:
    """The key of one generation.

    Args:
        prompt: the task in words.
        constraints: the contract of the answer.
        engine: `Engine.name`.
        sampling: how tokens are chosen. See `is_repeatable`.
        library: what references may name beside ``constraints.libraries``.
        options: what else changes an answer, such as that prose is allowed; `Engine.identity`.
    """
    context = None if constraints.context is None else constraints.context.model_dump(mode="json")
    # Without a temperature the other numbers change nothing. The seed may: an engine without a model draws logits.
    chosen = {"temperature": sampling.temperature, "seed": sampling.seed}
    if sampling.temperature > 0:
        chosen |= {"top_p": sampling.top_p, "top_k": sampling.top_k}
    return CacheKey(
        path=constraints.path,
        context=_digest(context),
        signature=_digest(constraints.signature),
        constraints=constraints.digest,
        prompt=hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest(),
        library=_NO_LIBRARY if library is None else library_digest(library),
        engine=engine,
        sampling=_digest(chosen),
        options=options,
        toolkit=agentic_dsl.__version__,
    )


def is_repeatable(sampling: Sampling) -> bool:
    """Whether the same request gives the same answer again, so that an old answer stands for a new one."""
    return sampling.temperature == 0 or sampling.seed is not None


def library_digest(library: Library) -> str:
    """SHA-256 over every entry: path, version and the document that it stands in. Kept with the library.

    The documents are printed, not quoted: a document that was changed in memory still has its old source text.
    """
    # In the object, as its own cached properties are: it never changes, and nothing else lives as long.
    kept: str | None = vars(library).get("_content_digest")
    if kept is None:
        documents = {id(entry.document): entry.document for entry in library.entries}
        texts = {key: hashlib.sha256(_text(document)).hexdigest() for key, document in documents.items()}
        entries = sorted((str(e.path), str(e.version), texts[id(e.document)]) for e in library.entries)
        kept = vars(library)["_content_digest"] = _digest(entries)
    return kept


def libraries_used(
    constraints: Constraints, document: Document | None, library: Library | None = None
) -> tuple[LibraryUse, ...]:
    """The library entries that the constraints offer and those that the answer calls, each once, in order."""
    used = {LibraryUse(spec.path, spec.version) for spec in constraints.libraries}
    if document is not None:
        used |= set(_called(document, library))
    return tuple(sorted(used, key=lambda use: (use.path, use.version or "")))


def _called(document: Document, library: Library | None) -> Iterator[LibraryUse]:
    for block in document.blocks:
        for node in block.nodes if isinstance(block, Subgraph) else ():
            for spec in reference_fields(node):
                for reference in references_in(node, spec):
                    if reference.path is None or not reference.path.is_library:
                        continue
                    found: LibraryEntry | None = None
                    if library is not None:
                        found = library.resolve(reference.path, reference.version)
                    version = found.version if found is not None else reference.version
                    yield LibraryUse(str(reference.path), None if version is None else str(version))


def below(path: str, prefix: str) -> bool:
    """Whether a path is the prefix or stands under it: ``/lib/a`` holds ``/lib/a/b`` and not ``/lib/ab``."""
    bare = prefix.rstrip("/")
    return path == bare or path.startswith(f"{bare}/")


def version_of(text: str) -> Version:
    """A version such as ``1`` or ``1.2.0``.

    Raises:
        ValueError: it is none.
    """
    parts = text.removeprefix("v").split(".")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise ValueError(f'"{text[:40]}" is not a version such as 1 or 1.2.0')
    return Version(tuple(int(part[:18]) for part in parts))


def _text(document: Document) -> bytes:
    return format_document(document).encode("utf-8", "surrogatepass")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
