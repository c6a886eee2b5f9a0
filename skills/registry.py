"""`SkillRegistry`: the skills below some roots: found, closed under what they require, and kept up to date.

What a registry gives is one state of the disk, replaced as a whole by `SkillRegistry.refresh`; readers in other threads
see the old state or the new one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentic_dsl import codes
from agentic_dsl.compiler.parse.problem import quoted
from agentic_dsl.compiler.suggestions import Suggester
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.errors import UsageError
from agentic_dsl.skills.dependencies import closure, unusable
from agentic_dsl.skills.manifest import SkillReading, TokenCount, load_skill
from agentic_dsl.skills.skill import Skill
from agentic_dsl.skills.skill_body import place_of
from agentic_dsl.skills.skill_files import MANIFEST, SkillFileError, list_files
from agentic_dsl.span import NOWHERE, Source, Span

MAX_SKILLS = 10_000
"""Skills that are read of one root."""


@dataclass(frozen=True, slots=True)
class SkillFinding:
    """A finding about a skill; its span points into ``source``."""

    source: Source
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of the skills that became usable, are other than before, and are no longer usable."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A folder as it was last read; ``skill`` is its last good state."""

    folder: Path
    reading: SkillReading
    skill: Skill | None

    def findings(self) -> list[SkillFinding]:
        source = self.reading.source
        found = [SkillFinding(source, diagnostic) for diagnostic in self.reading.diagnostics]
        if self.skill is not None and self.reading.skill is None:
            message = f"the skill {quoted(self.skill.name)} is broken; its last good state is used"
            place = place_of(source.text, self.skill.name)
            found.append(SkillFinding(source, codes.LAST_GOOD_SKILL.at(place, message, help="mend the errors")))
        return found


@dataclass(frozen=True, slots=True)
class _State:
    """One state of the disk."""

    kept: Mapping[Path, _Kept] = field(default_factory=dict)
    usable: Mapping[str, Skill] = field(default_factory=dict)
    findings: tuple[SkillFinding, ...] = ()


class SkillRegistry:
    """The skills below some roots. Make it with `load`; safe to use from several threads.

    Of several skills of one name the first root's is the one, even where it is broken: a mistake in a skill must not
    bring another one to life.

    Attributes:
        roots: the folders, in order.
    """

    def __init__(self, roots: Iterable[str | Path] = (), *, count_tokens: TokenCount | None = None) -> None:
        """An empty registry; `refresh` reads the roots.

        Args:
            roots: folders of skills; one that holds ``SKILL.md`` is a skill itself.
            count_tokens: counts the tokens of bodies; estimates without it.
        """
        self.roots = tuple(Path(os.path.abspath(root)) for root in roots)
        self._count_tokens = count_tokens
        self._lock = threading.Lock()
        self._state = _State()

    @classmethod
    def load(cls, roots: Iterable[str | Path], *, count_tokens: TokenCount | None = None) -> SkillRegistry:
        """The skills below some folders. What is wrong in them never raises: `findings` says it.

        Args:
            roots: folders of skills; one that holds ``SKILL.md`` is a skill itself.
            count_tokens: counts the tokens of bodies; estimates without it.

        Raises:
            UsageError: a root does not exist.
        """
        registry = cls(roots, count_tokens=count_tokens)
        for root in registry.roots:
            if not root.is_dir():
                raise UsageError(f'the skills folder "{root}" does not exist', help="name a folder that holds skills")
        registry.refresh()
        return registry

    @property
    def skills(self) -> tuple[Skill, ...]:
        """Every skill that can be used, by name; what each requires is among them."""
        return tuple(self._state.usable.values())

    @property
    def findings(self) -> tuple[SkillFinding, ...]:
        """What is wrong, in order of the roots and folders."""
        return self._state.findings

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """`findings` without the sources that they point into."""
        return tuple(finding.diagnostic for finding in self._state.findings)

    @property
    def readings(self) -> Mapping[Path, SkillReading]:
        """What was read of each folder, broken ones included, in order of the roots; shadowed ones are not read."""
        return {folder: kept.reading for folder, kept in self._state.kept.items()}

    def get(self, name: str) -> Skill | None:
        """The skill of a name, None where none of that name can be used."""
        return self._state.usable.get(name)

    def closure(self, names: Iterable[str]) -> tuple[Skill, ...]:
        """Some skills and all that they require: requirements first, else by name, so the order is always the same.

        Raises:
            UsageError: a name is that of no usable skill.
        """
        state = self._state
        usable = state.usable
        wanted = list(names)
        for name in wanted:
            if name in usable:
                continue
            if any(folder.name == name for folder in state.kept):
                help = "run `agentic-dsl skills validate` to see why"
                raise UsageError(f"the skill {quoted(name)} cannot be used", help=help)
            help = Suggester().help(name, usable, "run `agentic-dsl skills list` to see all")
            raise UsageError(f"there is no skill {quoted(name)}", help=help)
        return closure(wanted, usable)

    def refresh(self) -> Changes:
        """Reads what was changed on disk since the last time, and nothing else.

        A skill that was good and is broken now keeps its last good state, and a finding says so. One whose folder is
        gone is gone.
        """
        with self._lock:
            before = self._state
            state = self._state = self._read(before)
        old, new = before.usable, state.usable
        return Changes(
            added=tuple(name for name in new if name not in old),
            changed=tuple(name for name in new if name in old and new[name].content_hash != old[name].content_hash),
            removed=tuple(name for name in old if name not in new),
        )

    def _read(self, before: _State) -> _State:
        findings: list[SkillFinding] = []
        kept: dict[Path, _Kept] = {}
        first: dict[str, Path] = {}
        for root in self.roots:
            for folder in _skill_folders(root, findings):
                if folder in kept:
                    continue  # the same root twice
                if (other := first.setdefault(folder.name, folder)) != folder:
                    findings.append(_shadowed(folder, other))
                    continue
                kept[folder] = self._read_folder(folder, before.kept.get(folder))
                findings += kept[folder].findings()
        skills = {one.skill.name: one.skill for one in kept.values() if one.skill is not None}
        usable = dict(sorted(skills.items()))
        broken = [folder.name for folder, one in kept.items() if one.skill is None]
        for reason in unusable(usable, broken):
            source = kept[first[reason.name]].reading.source
            place = _requirement_place(source.text, reason.other)
            findings.append(SkillFinding(source, reason.kind.at(place, reason.message, help=reason.help)))
            del usable[reason.name]
        return _State(kept, usable, tuple(findings))

    def _read_folder(self, folder: Path, known: _Kept | None) -> _Kept:
        if known is not None and known.reading.listing is not None:
            try:
                if list_files(folder) == known.reading.listing:
                    return known
            except SkillFileError:
                pass  # reading it again says what is wrong
        reading = load_skill(folder, count_tokens=self._count_tokens)
        last = None if known is None else known.skill
        return _Kept(folder, reading, reading.skill or last)


def _requirement_place(text: str, name: str) -> Span:
    """Where a manifest requires a skill."""
    at = text.find(name, max(text.find("requires"), 0))
    return Span(at, at + len(name)) if at >= 0 else place_of(text, "requires")


def _skill_folders(root: Path, findings: list[SkillFinding]) -> list[Path]:
    """The folders of a root that hold a manifest, by name; the root itself where it is a skill."""
    try:
        if (root / MANIFEST).is_file():
            return [root]
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
        folders = [root / name for name in names if os.path.lexists(root / name / MANIFEST)]
    except OSError as exc:
        message = f'the skills folder "{root}" cannot be read: {exc.strerror}'
        finding = codes.ROOT_UNREADABLE.at(NOWHERE, message, help="check that it is there and can be read")
        findings.append(SkillFinding(Source("", str(root)), finding))
        return []
    if len(folders) > MAX_SKILLS:
        message = f'"{root}" holds {len(folders):,} skills; the first {MAX_SKILLS:,} are read'
        finding = codes.TOO_MANY_SKILLS.at(NOWHERE, message, help="split the root")
        findings.append(SkillFinding(Source("", str(root)), finding))
    return folders[:MAX_SKILLS]


def _shadowed(folder: Path, other: Path) -> SkillFinding:
    message = f'the skill {quoted(folder.name)} stands in "{other.parent}" too, which comes first'
    finding = codes.SHADOWED_SKILL.at(NOWHERE, message, help="rename one of the two if both are needed")
    return SkillFinding(Source("", str(folder / MANIFEST)), finding)
