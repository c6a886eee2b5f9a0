"""``agentic-dsl serve`` with real vLLM on the CPU, and what its clients see of it, up to its sudden end.

Starting a server is what takes the time here, so the tests share one with the plug-in and one without, and stand in
order: the last ones end them.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vLLM is not installed here: make test-vllm", allow_module_level=True)

import httpx
import psutil
from vllm_cases import EIGHT, GRAPH, WILD

from agentic_dsl.compiler.pipeline import Level, compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.errors import GenerationError
from agentic_dsl.runtime.engines.base import EngineRequest, Message, Prompt
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from agentic_dsl.runtime.generation import AgenticLLM
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.models import model_path
from agentic_dsl.runtime.service.process import wait_until

if model_path("smollm2") is None:
    pytest.skip("the embedded model is not pulled: make model", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "examples" / "library"

VLLM_ARGUMENTS = ("--enforce-eager", "--max-model-len", "4096", "--max-num-seqs", "16")


@dataclass(frozen=True)
class Serve:
    """A running ``agentic-dsl serve``, and the record that it printed when it was ready."""

    process: subprocess.Popen[str]
    record: dict[str, object]
    log: Path

    @property
    def url(self) -> str:
        return str(self.record["url"])

    @property
    def family(self) -> list[psutil.Process]:
        """It and all that it has started, as they are now; a number that is used again is another process."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def metric(self, name: str) -> float:
        lines = httpx.get(self.url.removesuffix("/v1") + "/metrics", timeout=30).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def start(folder: Path, *arguments: object) -> Serve:
    log = folder / "server.log"
    command = [sys.executable, "-m", "agentic_dsl.cli", "serve", "--port", "0", "--format", "json", "--log-file", log]
    process = subprocess.Popen(
        [str(word) for word in (*command, *arguments, "--", *VLLM_ARGUMENTS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return Serve(process, json.loads(line or "{}"), log)


def end(serve: Serve) -> None:
    with serve.process:  # closes its streams
        serve.process.terminate()
        serve.process.wait(60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A server with the plug-in, warmed up."""
    serve = start(tmp_path_factory.mktemp("plugin"), "--warm-up", "/lib/travel/estimate", "--lib", LIBRARY)
    yield serve
    end(serve)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """A server without the plug-in."""
    serve = start(tmp_path_factory.mktemp("stock"), "--no-plugin")
    yield serve
    end(serve)


@pytest.fixture
def engine(served: Serve) -> Iterator[OpenAIEngine]:
    opened = OpenAIEngine(base_url=served.url, max_retries=0)
    yield opened
    opened.close()


def left_of(family: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_the_server_is_ready_with_the_plugin_and_has_been_warmed_up(served: Serve) -> None:
    assert served.record["overlay"] is True, served.log.read_text()[-4000:]
    assert served.record["model"] == "smollm2"
    warmed = served.record["warm_up"]
    assert isinstance(warmed, list)
    assert [item["error"] for item in warmed] == [None, None, None]
    assert served.metric("agentic_dsl_contracts_total") >= 3


def test_wild_answers_are_valid_with_the_plugin_and_not_by_the_grammar_alone(served: Serve) -> None:
    tasks = ["Answer with the city."] * 8
    with_all_rules = AgenticLLM(OpenAIEngine(base_url=served.url))
    generations = with_all_rules.batch_generate_subgraphs(tasks, constraints=GRAPH, sampling=WILD)
    assert [generation.error for generation in generations] == [None] * 8
    assert all(generation.valid for generation in generations)
    assert len({generation.text for generation in generations}) == 8, "seeds differ, so answers do"
    assert any(entry.level is Level.OVERLAY for entry in generations[0].report)
    by_grammar = AgenticLLM(OpenAIEngine(base_url=served.url, semantic=False, check_grammar=False))
    generations = by_grammar.batch_generate_subgraphs(tasks, constraints=GRAPH, sampling=WILD)
    assert not all(generation.valid for generation in generations), "else this graph shows nothing"
    assert all(entry.level is not Level.OVERLAY for entry in generations[0].report)
    with_all_rules.engine.close()
    by_grammar.engine.close()


def test_eight_sets_of_constraints_and_one_request_without_any_run_together(engine: OpenAIEngine) -> None:
    free = EngineRequest(prompt=Prompt((Message("user", "Name three colours."),)), sampling=WILD, max_output_tokens=24)
    specs = [compile(constraints) for constraints in EIGHT]
    *results, prose = engine.generate([*(engine_request("Do something.", spec, WILD) for spec in specs), free])
    assert [result.error for result in (*results, prose)] == [None] * 9
    llm = AgenticLLM(engine)
    generations = llm.batch_generate_subgraphs(["Do something."] * 8, constraints=EIGHT, sampling=WILD)
    assert [generation.valid for generation in generations] == [True] * 8
    for spec, result in zip(specs, results, strict=True):
        assert result.overlay
        assert result.text.startswith(f"### AgenticDSL `{spec.constraints.path}`")
        assert result.token_ids
        assert result.prompt_token_ids
    assert prose.text.strip()
    assert "AgenticDSL" not in prose.text
    assert not prose.overlay


def test_generate_talks_to_the_server(served: Serve) -> None:
    command = [sys.executable, "-m", "agentic_dsl.cli", "generate", "Answer with the city.", "--engine", "openai"]
    command += ["--base-url", served.url, "--max-nodes", "2", "--allow-type", "assign", "--allow-type", "end"]
    command += ["--max-output-tokens", "200", "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr + run.stdout
    record = json.loads(run.stdout)
    assert record["valid"] is True
    assert any(entry["level"] == "overlay" for entry in record["report"])


def test_a_request_that_is_cancelled_stops_on_the_server_which_goes_on(served: Serve, engine: OpenAIEngine) -> None:
    long = compile(Constraints(max_nodes=200, min_nodes=60, allowed_node_types=("assign", "end"), max_text_chars=60))

    async def cancel_after_the_first_token() -> None:
        began = asyncio.Event()
        loop = asyncio.get_running_loop()
        call = asyncio.create_task(
            engine.agenerate(
                [engine_request("Write a long plan.", long, WILD)],
                on_token=lambda *_: loop.call_soon_threadsafe(began.set),
            )
        )
        await asyncio.wait_for(began.wait(), 120)
        assert served.metric("vllm:num_requests_running") == 1
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel_after_the_first_token())
    assert wait_until(lambda: served.metric("vllm:num_requests_running") == 0, 30)
    llm = AgenticLLM(engine)
    assert llm.generate_subgraph("Do something.", constraints=EIGHT[0]).valid


def test_the_same_request_on_a_stock_server_keeps_the_grammar_and_reports_the_rest_as_checked(stock: Serve) -> None:
    assert stock.record["overlay"] is False
    llm = AgenticLLM(OpenAIEngine(base_url=stock.url))
    generations = llm.batch_generate_subgraphs(["Answer with the city."] * 6, constraints=GRAPH, sampling=WILD)
    assert [generation.error for generation in generations] == [None] * 6, "the grammar part was enforced"
    assert not all(generation.valid for generation in generations)
    for generation in generations:
        assert {entry.level for entry in generation.report} <= {Level.GRAMMAR, Level.CHECKED}
        assert generation.text.startswith("### AgenticDSL `/dynamic/plan`")
    llm.engine.close()


def test_sigterm_to_serve_leaves_no_process(stock: Serve) -> None:
    family = stock.family
    assert len(family) >= 4, "serve, keeper, API server, engine core"
    stock.process.send_signal(signal.SIGTERM)
    assert stock.process.wait(60) == 0
    assert left_of(family) == []


def test_a_server_killed_in_a_batch_is_an_error_for_every_request_and_leaves_no_process(
    served: Serve, engine: OpenAIEngine
) -> None:
    family = served.family
    api_server = family[2]
    assert "api_server" in " ".join(api_server.cmdline())
    killing = threading.Lock()

    def kill_once(_row: int, _tokens: int, _text: str) -> None:
        if killing.acquire(blocking=False):
            os.kill(api_server.pid, signal.SIGKILL)

    long = compile(Constraints(max_nodes=40, min_nodes=20, allowed_node_types=("assign", "end"), max_text_chars=60))
    results = engine.generate([engine_request(f"Write plan {n}.", long, WILD) for n in range(8)], on_token=kill_once)
    assert len(results) == 8
    for result in results:
        assert isinstance(result.error, GenerationError)
        assert served.url.removesuffix("/v1") in result.error.message
        assert result.error.help
    out, _ = served.process.communicate(timeout=60)
    assert served.process.returncode == 2
    error = json.loads(out)["error"]
    assert error["message"].startswith("the server was killed by SIGKILL while it served"), error
    assert left_of(family) == []
