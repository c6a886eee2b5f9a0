"""Loads a model with transformers, and says which one it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agentic_dsl.errors import MissingExtraError, ModelError


def load_model(name: str, location: str, dtype: str, device: str | None) -> Any:
    """A model, ready to read.

    Args:
        name: what messages call it.
        location: a folder or a hub repository.
        dtype: see `TransformersEngine`, as for the device.
        device: None is the first GPU, else the CPU.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: the model cannot be loaded.
    """
    try:
        import torch
        import transformers

        from agentic_dsl.runtime.engines.embedded.kv_cache import read_in_place
    except ImportError as exc:
        raise MissingExtraError.of(exc.name or "transformers", "transformers") from exc
    kind = "auto" if dtype == "auto" else getattr(torch, dtype, None)
    if not (kind == "auto" or (isinstance(kind, torch.dtype) and kind.is_floating_point)):
        raise ModelError(
            f'"{dtype}" is no floating type of torch', help="name one of: bfloat16, float16, float32, auto"
        )
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with _quiet(transformers):
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                location, dtype=kind, local_files_only=Path(location).is_dir()
            )
            read_in_place(model)
        return model.to(place).eval()
    # The boundary to transformers, which raises OSError, ValueError, RuntimeError, KeyError and more for bad folders.
    except Exception as exc:
        reason = next(iter(str(exc).strip().splitlines()), "") or type(exc).__name__
        raise ModelError(
            f'the model "{name}" cannot be loaded: {reason[:200]}',
            help="give the name of an embedded model, a folder that transformers can load, or a hub repository",
        ) from exc


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Loads without progress bars and advice on stderr, which belongs to the command line's own output."""
    logs = transformers.utils.logging
    level, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(level)
        restore: Callable[[], None] = logs.enable_progress_bar if bars else logs.disable_progress_bar
        restore()


def context_tokens(model: Any) -> int | None:
    """The context length that the model's configuration names, if it does."""
    config = model.config.get_text_config()
    tokens = getattr(config, "max_position_embeddings", None)
    return int(tokens) if tokens else None


def can_keep_prefixes(model: Any) -> bool:
    """Whether the model's cache is nothing but keys and values of every token, which can be kept and put back."""
    from agentic_dsl.runtime.engines.embedded.kv_cache import keeps_everything

    return keeps_everything(model)


_SAMPLE = 1 << 16
_SAMPLES = 16


def model_identity(model: Any, location: str) -> str:
    """Says which weights these are, in which numbers, and who computes with them: what is kept of others is of no use.

    The hub's revision where there is one; else the sizes of the files and samples of what is in them, because reading
    gigabytes to know their digest takes longer than reading a prompt again.
    """
    revision = getattr(model.config, "_commit_hash", None)
    weights = f"revision {revision}" if revision else _sampled(Path(location))
    libraries = " · ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    return f"{location} · {weights} · {model.dtype} · {libraries}"


def _sampled(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix not in (".json", ".safetensors", ".bin") or not path.is_file():
            continue
        size = path.stat().st_size
        digest.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            for number in range(_SAMPLES):
                file.seek(max(0, (size - _SAMPLE) * number // (_SAMPLES - 1)))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:40]
