"""Turns the GGUF weights of an embedded model into a bf16 safetensors folder, in a process of its own.

The conversion needs about 1 GB of memory, and its libraries print progress bars and warnings as they like:
a child process gives the memory back and keeps the terminal clean. The child runs this file as a script,
so nothing of ours is imported at its top that would have to be found again there.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = ("import", "tokenizer", "weights", "save")
"""What the child does, in order; it prints each name when that step is done."""

REQUIRED_PACKAGES = ("torch", "transformers", "gguf", "accelerate", "safetensors")

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # everything is on disk: never ask the network
    "TRANSFORMERS_VERBOSITY": "error",
    "TQDM_DISABLE": "1",
    "PYTHONUNBUFFERED": "1",
}


def convert_gguf(weights: Path, folder: Path, on_step: Callable[[int, int], None]) -> None:
    """Writes the model and its tokenizer as a transformers folder.

    Args:
        weights: a verified GGUF file.
        folder: an existing empty folder; what it holds after an error is worth nothing.
        on_step: called with steps done and steps in all.

    Raises:
        MissingExtraError: a package that the conversion needs is not installed.
        ModelError: the conversion failed.
    """
    from agentic_dsl.errors import MissingExtraError, ModelError

    for package in REQUIRED_PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError.of(package, "transformers")
    # -P keeps this file's folder, whose modules have common names, off the child's path.
    command = [sys.executable, "-P", __file__, str(weights), str(folder)]
    on_step(0, len(STEPS))
    with (folder / "errors.log").open("w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **_ENVIRONMENT}
        ) as process:
            try:
                for line in process.stdout or ():
                    if (step := line.strip()) in STEPS:
                        on_step(STEPS.index(step) + 1, len(STEPS))
            except BaseException:
                process.kill()
                raise
        log.seek(0)
        last = next((line.strip() for line in reversed(log.readlines()) if line.strip()), "")
    (folder / "errors.log").unlink()
    if process.returncode != 0:
        # A negative code is a signal; -9 nearly always means that memory ran out.
        reason = last if process.returncode > 0 and last else f"exit code {process.returncode}"
        raise ModelError(
            f"the weights could not be converted: {reason}",
            help="free 2 GB of memory, check the installed transformers and gguf, then pull the model again",
        )


def _convert(weights: Path, folder: Path) -> None:
    """What the child process does."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    print("import")
    source = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
    print("tokenizer")
    model: Any = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
    print("weights")
    # The loaded model still calls itself quantised and would refuse to be saved.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    print("save")


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
