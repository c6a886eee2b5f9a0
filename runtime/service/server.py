"""`Server`: vLLM's OpenAI server with our plug-in, from its start until nothing of it is left.

A server's life: `plan_server` checks and says what to run → `Server` starts it → `wait_until_ready` → `overlay` asks it
who enforces → `warm_up` sends contracts → `wait` until it ends → `stop`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from agentic_dsl.errors import MissingExtraError
from agentic_dsl.runtime.engines.http.ask import redacted, server_reason
from agentic_dsl.runtime.engines.http.openai_wire import CHAT_PATH, VllmFields, chat_body
from agentic_dsl.runtime.engines.http.server_facts import FACTS_PATH
from agentic_dsl.runtime.jobs import engine_request
from agentic_dsl.runtime.service.plan import ServerPlan
from agentic_dsl.runtime.service.process import ServerError, ServerProcess
from agentic_dsl.runtime.service.warm_up import WarmUp
from agentic_dsl.runtime.wire import with_contract

_TICK = 0.2
"""Seconds between two looks at a server that starts."""

_ANSWER_SECONDS = 5.0
"""How long a server may take to say that it is there."""

_WARM_UP_SECONDS = 300.0
"""How long it may take for the one token of a warm-up: a prompt of thousands of tokens is read on a CPU too."""

_ENDING_SECONDS = 5.0
"""How long the end of a server may take to be seen."""

_WARM_UP_TASK = "Get ready."


class Server:
    """A running server and a client for it. Use it in a ``with`` block: leaving it stops the server.

    Attributes:
        plan: what runs.
        process: the server's process, for signals and its log.
    """

    def __init__(
        self, plan: ServerPlan, *, grace: float = 10.0, on_output: Callable[[bytes], None] | None = None
    ) -> None:
        """Starts the server; it does not answer yet.

        Args:
            plan: of `plan_server`.
            grace: seconds that it has to end by itself after it was asked to.
            on_output: called in a thread with each piece of its log.

        Raises:
            MissingExtraError: httpx is not installed.
            ServerError: no process can be started.
        """
        try:
            import httpx
        except ImportError as exc:
            raise MissingExtraError.of("httpx", "http") from exc
        headers = {"Authorization": f"Bearer {plan.api_key}"} if plan.api_key else {}
        # A proxy of the environment is not for this machine, and the certificate is the server's own business.
        self._http = httpx.Client(base_url=plan.root_url, headers=headers, trust_env=False, verify=False)
        self._no_answer: type[Exception] = httpx.HTTPError
        self.plan = plan
        self.process = ServerProcess(plan.command, environment=plan.environment, grace=grace, on_output=on_output)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """What clients are configured with."""
        return f"{self.plan.root_url}/v1"

    def wait_until_ready(self, seconds: float, on_tick: Callable[[float], None] | None = None) -> float:
        """Waits until the server answers; gives the seconds that it took.

        Args:
            seconds: the longest to wait.
            on_tick: called again and again with the seconds waited so far.

        Raises:
            ServerError: it ended, or is not ready in time. A server that is late still runs.
        """
        started = time.monotonic()
        while not self._is_healthy():
            waited = time.monotonic() - started
            if self.process.exit_code() is not None:
                raise self.process.ended_error("before it was ready")
            if waited > seconds:
                raise ServerError(
                    f"the server is not ready after {seconds:g} seconds{self.process.tail()}",
                    help="wait longer with --timeout, or read its log",
                )
            if on_tick is not None:
                on_tick(waited)
            time.sleep(_TICK)
        return time.monotonic() - started

    def overlay(self) -> bool | None:
        """Whether the server's plug-in enforces all rules, not the grammar alone; None where it does not say."""
        try:
            answer = self._http.get(FACTS_PATH, timeout=_ANSWER_SECONDS)
            said: Any = answer.json() if answer.status_code == 200 else None
        except (self._no_answer, ValueError):
            return None
        overlay = said.get("overlay") if isinstance(said, dict) else None
        return overlay if isinstance(overlay, bool) else None

    def warm_up(self, item: WarmUp) -> float:
        """Sends a contract with a request for one token; gives the seconds that it took.

        Afterwards the server has compiled the contract, and holds the part of the prompt that all requests with these
        constraints share in its prefix cache.

        Raises:
            ServerError: the server ended, or refuses the request.
        """
        started = time.monotonic()
        try:
            answer = self._http.post(f"/v1{CHAT_PATH}", json=self._warm_up_body(item), timeout=_WARM_UP_SECONDS)
        except self._no_answer as exc:
            # Connections of a server that ends are closed before all its processes are gone.
            if self.process.wait(_ENDING_SECONDS) is not None:
                raise self.process.ended_error(f"during the warm-up ({item.label})") from exc
            raise ServerError(f"the server does not answer to the warm-up ({item.label}): {exc}") from exc
        if answer.status_code != 200:
            reason = redacted(server_reason(answer.content), self.plan.api_key)
            raise ServerError(f"the server refuses the warm-up ({item.label}): {answer.status_code} {reason}")
        return time.monotonic() - started

    def wait(self, on_tick: Callable[[], None] | None = None) -> int:
        """Waits until the server ends, by itself or because somebody stopped it; gives its exit code."""
        while (code := self.process.wait(_TICK)) is None:
            if on_tick is not None:
                on_tick()
        return code

    def stop(self) -> int:
        """Ends the server with all its processes; gives its exit code. Calling it again does nothing."""
        self._http.close()
        return self.process.stop()

    def _is_healthy(self) -> bool:
        try:
            return self._http.get("/health", timeout=_ANSWER_SECONDS).status_code == 200
        except self._no_answer:
            return False

    def _warm_up_body(self, item: WarmUp) -> dict[str, object]:
        request = engine_request(_WARM_UP_TASK, item.spec)
        # The contract as requests will send it, limit included: it is the key of what is compiled. The one token is a
        # limit of this request alone.
        grammar = with_contract(item.spec, max_output_tokens=request.max_output_tokens or request.token_cap)
        return chat_body(
            replace(request, max_output_tokens=1),
            VllmFields(),
            model=self.plan.model,
            grammar=grammar,
            max_tokens=1,
            streams=False,
            sends_priority=False,
        )
