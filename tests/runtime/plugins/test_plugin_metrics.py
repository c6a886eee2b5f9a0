"""What plug-ins count is there for whoever scrapes the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agentic_dsl import Constraints, compile
from agentic_dsl.runtime.plugins.metrics import plugin_metrics
from agentic_dsl.runtime.wire import with_contract


def test_each_count_comes_out_under_its_documented_name() -> None:
    client = pytest.importorskip("prometheus_client")

    def value(name: str, **labels: str) -> float:
        return client.REGISTRY.get_sample_value(name, labels) or 0.0

    metrics = plugin_metrics()
    asked = {
        "agentic_dsl_fills_total": {},
        "agentic_dsl_fill_seconds_total": {},
        "agentic_dsl_rejected_tokens_total": {},
        "agentic_dsl_contracts_total": {"outcome": "overlay"},
        "agentic_dsl_fallbacks_total": {"reason": "tokenizer"},
        "agentic_dsl_compile_seconds_count": {},
    }
    before = {name: value(name, **labels) for name, labels in asked.items()}
    metrics.filled(0.25)
    metrics.rejected()
    metrics.contract("overlay")
    metrics.fallback("tokenizer")
    metrics.compiled(0.1)
    after = {name: value(name, **labels) - before[name] for name, labels in asked.items()}
    assert after == {name: 0.25 if name == "agentic_dsl_fill_seconds_total" else 1.0 for name in asked}
    assert plugin_metrics() is metrics


def test_without_the_library_contracts_are_compiled_all_the_same() -> None:
    pytest.importorskip("xgrammar", reason="needs the extra masks")
    text = with_contract(compile(Constraints(max_nodes=2)))
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from agentic_dsl.runtime.plugins.contracts import ContractCompiler\n"
        "from agentic_dsl.runtime.tokenizer import load_tokenizer\n"
        "matcher = ContractCompiler(load_tokenizer('bytes')).matcher(sys.stdin.read())\n"
        "print(matcher.accept(ord('#')))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
