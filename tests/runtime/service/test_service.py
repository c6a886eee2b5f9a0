"""The life of a server, played by a small process: ready, asked, warmed up, ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.jobs import default_token_cap
from agentic_dsl.runtime.service.plan import ServerPlan, free_port
from agentic_dsl.runtime.service.process import ServerError
from agentic_dsl.runtime.service.server import Server
from agentic_dsl.runtime.service.warm_up import WarmUp
from agentic_dsl.runtime.wire import read_contract

CHILD = Path(__file__).resolve().parents[2] / "fixtures" / "serving" / "plays_a_server.py"
CONSTRAINTS = Constraints(max_nodes=3)
ITEM = WarmUp("writes /dynamic/plan", compile(CONSTRAINTS))


def plan(*arguments: object, api_key: str | None = None) -> ServerPlan:
    port = free_port("127.0.0.1", 0)
    return ServerPlan(
        command=(sys.executable, str(CHILD), "--port", str(port), *map(str, arguments)),
        environment=dict(os.environ),
        root_url=f"http://127.0.0.1:{port}",
        model="small",
        api_key=api_key,
    )


def test_a_server_that_starts_slowly_is_waited_for() -> None:
    ticks: list[float] = []
    with Server(plan("--start-after", 1.0, "--overlay", "on")) as server:
        assert server.wait_until_ready(30, ticks.append) >= 1.0
        assert ticks == sorted(ticks)
        assert len(ticks) >= 3
        assert server.base_url.endswith("/v1")
        assert server.overlay() is True


@pytest.mark.parametrize(("arguments", "overlay"), [((), None), (("--overlay", "off"), False)])
def test_a_server_without_our_plugin_says_so_or_nothing(arguments: tuple[str, ...], overlay: bool | None) -> None:
    with Server(plan(*arguments)) as server:
        server.wait_until_ready(30)
        assert server.overlay() is overlay


def test_a_server_that_is_not_ready_in_time_is_an_error_with_its_last_line() -> None:
    with Server(plan("--start-after", 60)) as server:
        with pytest.raises(ServerError, match="not ready after 1 seconds; its last lines:\n  INFO plays") as caught:
            server.wait_until_ready(1)
        assert "--timeout" in str(caught.value.help)
        assert server.process.exit_code() is None
    assert server.process.exit_code() is not None


def test_a_server_that_crashes_at_its_start_is_an_error_at_once() -> None:
    with Server(plan("--crash-at-start", 3)) as server, pytest.raises(ServerError, match="the engine core failed"):
        server.wait_until_ready(60)


def test_an_unknown_argument_of_vllm_is_named() -> None:
    with Server(plan("--max-modl-len", 5)) as server, pytest.raises(ServerError, match="--max-modl-len") as caught:
        server.wait_until_ready(60)
    assert caught.value.help == "check the arguments after --"


def test_a_server_that_crashes_later_ends_the_wait_with_its_exit_code() -> None:
    with Server(plan("--crash-after", 0.5)) as server:
        server.wait_until_ready(30)
        assert server.wait() == 7


def _logged(server: Server, beginning: str) -> str:
    """A line of the server's log, which comes through a pipe and may be a moment behind the answer."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for line in server.process.last_lines():
            if line.startswith(beginning):
                return line
        time.sleep(0.02)
    pytest.fail(f"no line of the log begins with {beginning!r}")


def test_a_warm_up_sends_the_contract_that_requests_will_send() -> None:
    with Server(plan()) as server:
        server.wait_until_ready(30)
        assert 0 < server.warm_up(ITEM) < 10
        line = _logged(server, "request: ")
    assert line.startswith("request: max_tokens 1, # agentic-dsl 1 ")
    contract = read_contract(line.partition(", ")[2] + "\n")
    assert contract.constraints == CONSTRAINTS
    assert contract.max_output_tokens == default_token_cap(CONSTRAINTS)
    assert contract.semantic


def test_a_warm_up_that_is_refused_says_why_and_leaves_the_server_running() -> None:
    with Server(plan("--refuse")) as server:
        server.wait_until_ready(30)
        with pytest.raises(ServerError, match=r"refuses the warm-up \(writes /dynamic/plan\): 400 this grammar is not"):
            server.warm_up(ITEM)
        assert server.process.exit_code() is None


def test_a_warm_up_knows_the_key_of_its_server() -> None:
    with Server(plan("--api-key", "secret", api_key="secret")) as server:
        server.wait_until_ready(30)
        server.warm_up(ITEM)


def test_a_server_that_dies_in_a_warm_up_is_an_error_with_its_end() -> None:
    with Server(plan("--die-in-request")) as server:
        server.wait_until_ready(30)
        with pytest.raises(ServerError, match="the server was killed by SIGKILL during the warm-up"):
            server.warm_up(ITEM)
