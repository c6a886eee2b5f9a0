"""``GET /agentic-dsl`` on vLLM's server: whether contracts are enforced there, and by which version.

Given to the server as ``--middleware agentic_dsl.runtime.plugins.vllm_route.StateRoute``. It answers one path itself
and passes everything else on untouched. vLLM also has a plug-in group for routes, but asking for one of its plug-ins
turns off all plug-ins that are not named.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import agentic_dsl
from agentic_dsl.runtime import wire
from agentic_dsl.runtime.plugins.vllm_plugin import plugin_state

PATH = "/agentic-dsl"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class StateRoute:
    """An ASGI middleware; vLLM makes one for its application."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers requests for `PATH`; the others go to the application."""
        if scope.get("type") != "http" or scope.get("path") != PATH:
            await self._app(scope, receive, send)
            return
        allowed = scope.get("method") in ("GET", "HEAD")
        body = json.dumps(server_state(_grammar_backend(scope))).encode() if allowed else b""
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if not allowed:
            headers.append((b"allow", b"GET, HEAD"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200 if allowed else 405, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def server_state(grammar_backend: str | None = None) -> Mapping[str, Any]:
    """What clients are told; ``overlay`` is whether our matcher enforces contracts of that version.

    Args:
        grammar_backend: the structured-output back end that the server was started with, where it is known. The
            plug-in extends xgrammar; under ``auto`` some other request may have chosen another one.
    """
    state = plugin_state()
    reason = state.reason
    if state.active and grammar_backend not in (None, "xgrammar"):
        reason = f'the server\'s structured-output back end is "{grammar_backend}", and must be "xgrammar"'
    return {
        "version": agentic_dsl.__version__,
        "contract": wire.VERSION,
        "overlay": state.active and reason is None,
        "reason": reason,
        "engine": "vllm",
        "engine_version": state.engine_version,
    }


def _grammar_backend(scope: Scope) -> str | None:
    config = getattr(getattr(scope.get("app"), "state", None), "vllm_config", None)
    backend = getattr(getattr(config, "structured_outputs_config", None), "backend", None)
    return backend if isinstance(backend, str) else None
