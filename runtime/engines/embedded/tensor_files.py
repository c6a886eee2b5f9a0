"""Keys and values in files, for the next process: a `Tier` of one folder.

Files are safetensors: they hold numbers and a flat header, so that reading one runs nothing. What is in them is only
believed if the header names this model, this format and the key, and the numbers have the digest that it gives.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentic_dsl.errors import CacheError, MissingExtraError
from agentic_dsl.runtime.engines.embedded.key_values import KeyValues
from agentic_dsl.runtime.folders import cache_folder

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES = 4 << 30
"""4 GiB: about 190,000 tokens of a model with 135 million parameters."""

_FORMAT = "1"
_SUFFIX = ".safetensors"
_PART = ".part"
_ABANDONED_SECONDS = 24 * 3600.0
"""After this long nobody is still writing a file: its process was ended."""
_KEY = re.compile(r"[A-Za-z0-9-]{1,128}")
_TENSOR = "key_values"


class TensorFiles:
    """The files of one model. Safe for several processes: files appear whole or not at all."""

    def __init__(
        self,
        model: str,
        folder: Path | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        device: torch.device | str = "cpu",
    ) -> None:
        """Makes nothing yet.

        Args:
            model: identifies weights and number type; other ones never read these files.
            folder: where the folders of all models lie; None is the user's cache folder.
            max_bytes: what the files of this model may take; those that were not used for longest go first.
            device: where the model is; what is loaded comes there.
        """
        self.model = model
        digest = hashlib.sha256(model.encode()).hexdigest()[:16]
        self.folder = (folder if folder is not None else cache_folder() / "prefixes") / digest
        self._max_bytes = max_bytes
        self._device = device

    def store(self, key: str, payload: KeyValues) -> int:
        """See `Tier.store`.

        Raises:
            OSError: the folder cannot be written.
            CacheError: the file cannot, such as on a full disk; nothing is left behind.
        """
        path = self._path(key)
        if self.touched(key):
            return path.stat().st_size
        self.folder.mkdir(parents=True, exist_ok=True)
        save_file, safetensor_error = _library()
        tensor = payload.tensor.contiguous().cpu()
        header = {"format": _FORMAT, "model": self.model, "key": key, "sha256": _digest(tensor)}
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, suffix=_PART)
        os.close(descriptor)
        try:
            save_file({_TENSOR: tensor}, temporary, metadata=header)
            os.replace(temporary, path)
        except safetensor_error as exc:
            raise CacheError(
                f"a prefix cannot be saved: {str(exc)[:200]}", help="free space, or give another folder"
            ) from exc
        finally:
            Path(temporary).unlink(missing_ok=True)
        self.gc()
        return path.stat().st_size if path.exists() else 0

    def load(self, key: str) -> KeyValues | None:
        """See `Tier.load`. A damaged file is a line in the log, and removed."""
        from safetensors import SafetensorError, safe_open

        path = self._path(key)
        try:
            if not path.is_file():
                return None
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                expected = {"format": _FORMAT, "model": self.model, "key": key}
                if any(header.get(name) != value for name, value in expected.items()):
                    return _damaged(path, "it belongs to something else")
                # The file is mapped. A copy, because what is proven now must still be so when it is used: a file that
                # is written over would change the numbers, one that is cut would end the process.
                tensor = file.get_tensor(_TENSOR).clone()
            if tensor.dim() != 5 or header.get("sha256") != _digest(tensor):
                return _damaged(path, "its numbers are not those that were saved")
        except (SafetensorError, OSError, ValueError, KeyError) as exc:
            return _damaged(path, str(exc)[:200])
        with contextlib.suppress(OSError):  # a folder that may only be read is as good
            os.utime(path)
        return KeyValues(tensor.to(self._device))

    def holds(self, key: str) -> bool:
        """Whether there is a file of this name; whether it is whole is seen when it is loaded."""
        path = self._path(key)
        try:
            return path.is_file()
        except OSError:  # a folder that may not be looked into
            return False

    def touched(self, key: str) -> bool:
        """As `holds`; the file counts as used now: a beginning that others go on from is not the first to go."""
        try:
            os.utime(self._path(key))
        except OSError:  # there is none, or it may only be read
            return self.holds(key)
        return True

    def delete(self, key: str) -> None:
        """See `Tier.delete`."""
        self._path(key).unlink(missing_ok=True)

    def gc(self, max_bytes: int | None = None) -> int:
        """Removes the files that were not used for longest until the rest fits; how many bytes went.

        What processes left behind that were ended while they wrote goes too.
        """
        left, freed = self._max_bytes if max_bytes is None else max_bytes, 0
        for path, status in list(self._files(_PART)):
            if time.time() - status.st_mtime > _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
                freed += status.st_size
        files = sorted(self._files(), key=lambda file: file[1].st_mtime, reverse=True)
        for path, status in files:
            left -= status.st_size
            if left < 0:
                path.unlink(missing_ok=True)
                freed += status.st_size
        return freed

    @property
    def nbytes(self) -> int:
        """What the files of this model take."""
        return sum(status.st_size for _, status in self._files())

    def _files(self, suffix: str = _SUFFIX) -> Iterator[tuple[Path, os.stat_result]]:
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            try:
                if path.suffix == suffix:
                    yield path, path.stat()
            except FileNotFoundError:
                continue  # another process removed it

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise CacheError(f'"{key[:80]}" is no key of a prefix', help="use the keys that the cache makes")
        return self.folder / f"{key}{_SUFFIX}"


def _digest(tensor: torch.Tensor) -> str:
    """Of the numbers, their type and their shape."""
    import torch

    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _library() -> tuple[Callable[..., None], type[Exception]]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError as exc:
        raise MissingExtraError.of("safetensors", "transformers") from exc
    return save_file, SafetensorError


def _damaged(path: Path, reason: str) -> KeyValues | None:
    """Nothing: what is wrong with a file is for the log."""
    _log.warning("the saved prefix %s is not used: %s", path.name, reason)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return None
