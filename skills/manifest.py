"""`load_skill`: a folder with ``SKILL.md`` → a `Skill` and everything that is wrong with it. Total on any input.

The public rules for skills, and what ``metadata`` means to us: ``version`` ``tags`` ``requires`` ``tools``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentic_dsl import codes
from agentic_dsl.diagnostics import Diagnostic, in_order
from agentic_dsl.skills.front_matter import read_front_matter
from agentic_dsl.skills.manifest_values import read_values
from agentic_dsl.skills.skill import Resource, Skill, estimated_tokens
from agentic_dsl.skills.skill_body import check_body, place_of
from agentic_dsl.skills.skill_files import (
    MANIFEST,
    MAX_MANIFEST,
    MAX_RESOURCE,
    Listing,
    SkillFileError,
    list_files,
    read_file,
)
from agentic_dsl.span import NOWHERE, Source, Span

_ATTEMPTS = 3
"""How often files that change while they are read are read."""

MAX_FINDINGS = 200
"""Findings about one skill that are kept."""

TokenCount = Callable[[str], int]
"""How many tokens a text has."""


@dataclass(frozen=True, slots=True)
class SkillReading:
    """What `load_skill` gives.

    Attributes:
        skill: None where there is an error.
        diagnostics: all findings; they stand in ``source``.
        source: the manifest, empty where it cannot be read.
        listing: the state of the files that were read, which shows whether they were changed since.
    """

    skill: Skill | None
    diagnostics: tuple[Diagnostic, ...]
    source: Source
    listing: Listing | None = None

    @property
    def has_errors(self) -> bool:
        """Whether the skill cannot be used."""
        return any(diagnostic.is_error for diagnostic in self.diagnostics)


def load_skill(folder: str | Path, *, count_tokens: TokenCount | None = None) -> SkillReading:
    """Reads one skill. Whatever the folder holds, nothing is raised.

    All files are read, and their states compared before and after: what is given is what stood there at one moment.

    Args:
        folder: the folder of the skill, whose name is the skill's.
        count_tokens: counts the tokens of the body; an estimate without it.
    """
    folder = Path(os.path.abspath(folder))  # links are kept: a link may give a skill its name
    source = Source("", str(folder / MANIFEST))
    try:
        for _ in range(_ATTEMPTS):
            listing = list_files(folder)
            if listing.manifest is None:
                help = f"put a file called {MANIFEST} there; `agentic-dsl skills new` writes one"
                missing = codes.NO_MANIFEST.at(NOWHERE, f'"{folder.name}" holds no {MANIFEST}', help=help)
                return SkillReading(None, (missing,), source, listing)
            raw = read_file(folder, MANIFEST, MAX_MANIFEST)
            resources = _read_resources(folder, listing) if listing.is_usable else ()
            if list_files(folder) == listing:
                return _reading(folder, raw, resources, listing, count_tokens)
    except SkillFileError as exc:
        return SkillReading(None, (exc.kind.at(NOWHERE, exc.message, help=exc.help),), source)
    message = f'the files of "{folder.name}" change while they are read'
    changing = codes.SKILL_CHANGING.at(NOWHERE, message, help="wait until nobody writes them, and load it again")
    return SkillReading(None, (changing,), source)


def _read_resources(folder: Path, listing: Listing) -> tuple[Resource, ...]:
    """The resources with their digests; their contents are not kept."""
    found = []
    for stamp in listing.resources:
        content = read_file(folder, stamp.path, MAX_RESOURCE)
        found.append(Resource(stamp.path, len(content), hashlib.sha256(content).hexdigest()))
    return tuple(found)


def _reading(
    folder: Path, raw: bytes, resources: tuple[Resource, ...], listing: Listing, count_tokens: TokenCount | None
) -> SkillReading:
    path = str(folder / MANIFEST)
    diagnostics: list[Diagnostic] = []
    source = _decoded(raw, path, diagnostics)
    if diagnostics:
        return SkillReading(None, tuple(diagnostics), source, listing)
    for problem in listing.problems:
        place = place_of(source.text, problem.path)
        diagnostics.append(problem.kind.at(place, problem.message, help=problem.help))
    skill = _skill(folder, source, raw, resources, listing, count_tokens, diagnostics)
    found = _bounded(in_order(diagnostics))
    return SkillReading(None if any(d.is_error for d in found) else skill, found, source, listing)


def _bounded(found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """The findings that people can read: a mebibyte of unknown keys is one mistake. Errors stay before others."""
    if len(found) <= MAX_FINDINGS:
        return found
    return in_order(sorted(found, key=lambda diagnostic: not diagnostic.is_error)[:MAX_FINDINGS])


def _skill(
    folder: Path,
    source: Source,
    raw: bytes,
    resources: tuple[Resource, ...],
    listing: Listing,
    count_tokens: TokenCount | None,
    diagnostics: list[Diagnostic],
) -> Skill | None:
    """The skill, None where it lacks what every skill has."""
    front = read_front_matter(source, diagnostics)
    if front is None:
        return None
    behind = source.text[front.body_start :]
    body = behind.strip()
    tokens = (count_tokens or estimated_tokens)(body)
    offset = front.body_start + len(behind) - len(behind.lstrip())
    check_body(body, offset, tokens, listing.paths, diagnostics)
    known = {resource.path: resource for resource in resources} if listing.is_usable else None
    values = read_values(front, source, folder, known, diagnostics)
    name, description = (front.texts.get(key) for key in ("name", "description"))
    if name is None or description is None:
        return None
    license, compatibility = (front.texts.get(key) for key in ("license", "compatibility"))
    return Skill(
        name=name.text,
        description=description.text,
        body=body,
        folder=folder,
        content_hash=_content_hash(raw, resources),
        tokens=tokens,
        license=license and license.text,
        compatibility=compatibility and compatibility.text,
        metadata={key: entry.text for key, entry in front.metadata.items()},
        allowed_tools=values.allowed_tools,
        resources=resources,
        version=values.version,
        tags=values.tags,
        requires=values.requires,
        tools=values.tools,
    )


def _decoded(raw: bytes, path: str, diagnostics: list[Diagnostic]) -> Source:
    try:
        return Source(raw.decode("utf-8-sig"), path)
    except UnicodeDecodeError as exc:
        start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
        at = len(raw[start : start + exc.start].decode("utf-8"))
        message = f"byte {start + exc.start + 1} (0x{raw[start + exc.start]:02x}) is no UTF-8"
        diagnostics.append(codes.MANIFEST_NOT_TEXT.at(Span(at, at + 1), message, help="save the file as UTF-8"))
        return Source(raw.decode("utf-8-sig", "replace"), path)


def _content_hash(raw: bytes, resources: tuple[Resource, ...]) -> str:
    """The digest of digests: no name or content can be mistaken for another."""
    parts = [f"{MANIFEST}\0{hashlib.sha256(raw).hexdigest()}"]
    parts += [f"{resource.path}\0{resource.digest}" for resource in resources]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
