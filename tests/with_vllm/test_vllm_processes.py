"""vLLM in processes of its own: n-gram speculation in the multiprocess core, and stock vLLM without the plug-in."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed here: make test-vllm", allow_module_level=True)

from agentic_dsl.runtime.models import model_path

if model_path("smollm2") is None:
    pytest.skip("the embedded model is not pulled: make model", allow_module_level=True)

_SCRIPT = """
import json, sys
from vllm_cases import EIGHT, GRAPH, OPTIONS, WILD
from agentic_dsl import AgenticLLM
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt
from agentic_dsl.runtime.engines.vllm import VllmEngine
from agentic_dsl.runtime.plugins.vllm_plugin import plugin_state


def main():
    engine = VllmEngine(**OPTIONS, **json.loads(sys.argv[1]))
    llm = AgenticLLM(engine)
    generations = llm.batch_generate_subgraphs(["Answer."] * 5, constraints=(*EIGHT[2:6], GRAPH), sampling=WILD)
    free = engine.generate([EngineRequest(prompt=Prompt((Message("user", "Say hello."),)), max_output_tokens=16)])[0]
    record = {
        "plugin": plugin_state().active,
        "overlay": engine.capabilities.supports_overlay,
        "free": free.text,
        "generations": [
            {
                "text": generation.text,
                "valid": generation.valid,
                "error": str(generation.error or ""),
                "levels": sorted({entry.level.value for entry in generation.report}),
                "tokens": generation.stats.tokens,
                "passes": generation.stats.forward_passes,
            }
            for generation in generations
        ],
    }
    engine.close()
    print("RECORD " + json.dumps(record))


if __name__ == "__main__":
    main()
"""


def run(folder: Path, options: dict[str, Any], **environment: str) -> dict[str, Any]:
    """What an engine in a process of its own answers; it must end by itself."""
    script = folder / "ask.py"  # a file, because vLLM's core starts as another process of it
    script.write_text(_SCRIPT, encoding="utf-8")
    paths = {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(options)],
        env={**os.environ, **paths, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RECORD ")]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert len(lines) == 1, done.stdout[-3000:] + done.stderr[-6000:]
    record: dict[str, Any] = json.loads(lines[0].removeprefix("RECORD "))
    return record | {"log": done.stdout + done.stderr}


def test_ngram_drafts_in_the_multiprocess_core_leave_every_answer_valid(tmp_path: Path) -> None:
    drafts = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4, "prompt_lookup_min": 2}
    record = run(tmp_path, {"speculative_config": drafts}, VLLM_ENABLE_V1_MULTIPROCESSING="1")
    assert record["plugin"]
    assert record["overlay"]
    for generation in record["generations"]:
        assert generation["valid"], generation
        assert "overlay" in generation["levels"]
    tokens = sum(generation["tokens"] for generation in record["generations"])
    assert sum(generation["passes"] for generation in record["generations"]) < tokens  # drafts were accepted
    assert record["log"].count("agentic-dsl: the plug-in is active") >= 2  # here and in the core's process
    assert "not allowed there" not in record["log"]
    assert "rejected draft" not in record["log"]


def test_without_the_plug_in_stock_vllm_enforces_the_grammar_and_the_report_says_what_is_checked(
    tmp_path: Path,
) -> None:
    record = run(tmp_path, {}, VLLM_PLUGINS="")
    assert not record["plugin"]
    assert not record["overlay"]
    for generation in record["generations"]:
        assert generation["error"] == ""
        assert generation["text"].startswith("###")
        assert "overlay" not in generation["levels"]
        assert {"grammar", "checked"} <= set(generation["levels"])
    assert "agentic-dsl: the plug-in is active" not in record["log"]
