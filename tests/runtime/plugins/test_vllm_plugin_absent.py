"""The plug-in where vLLM is not as it knows it, and what its server tells clients."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
from collections.abc import MutableMapping
from typing import Any

import pytest

from agentic_dsl.runtime.plugins import vllm_plugin
from agentic_dsl.runtime.plugins.vllm_plugin import PluginState, plugin_state, register, require_known
from agentic_dsl.runtime.plugins.vllm_route import StateRoute, server_state

here = importlib.util.find_spec("vllm") is not None


@pytest.mark.skipif(here, reason="vLLM is installed here")
def test_without_vllm_the_plug_in_says_that_it_is_not_active(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_plugin, "_state", PluginState(False))
    with caplog.at_level(logging.WARNING):
        register()
    assert not plugin_state().active
    assert "vllm" in str(plugin_state().reason)
    assert "not active" in caplog.text


@pytest.mark.parametrize("version", ["0.32.0", "0.33.1", "0.32.0rc1", "0.33.0+cpu"])
def test_known_releases_are_taken(version: str) -> None:
    require_known(version)


@pytest.mark.parametrize("version", ["0.31.9", "0.34.0", "1.0", "dev", ""])
def test_unknown_releases_are_not(version: str) -> None:
    with pytest.raises(Exception, match=r"works with 0\.32 up to before 0\.34"):
        require_known(version)


def ask(path: str, method: str = "GET") -> tuple[int, bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def inner(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"inner"})

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    asyncio.run(StateRoute(inner)({"type": "http", "path": path, "method": method}, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_a_server_tells_whether_contracts_are_enforced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_plugin, "_state", PluginState(True, "0.32.0"))
    status, body = ask("/agentic-dsl")
    assert status == 200
    told = json.loads(body)
    assert (told["overlay"], told["contract"], told["engine_version"]) == (True, 1, "0.32.0")
    monkeypatch.setattr(vllm_plugin, "_state", PluginState(False, "9.9", "too new"))
    told = json.loads(ask("/agentic-dsl")[1])
    assert (told["overlay"], told["reason"]) == (False, "too new")


def test_another_grammar_back_end_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_plugin, "_state", PluginState(True, "0.32.0"))
    assert server_state("xgrammar")["overlay"]
    for other in ("auto", "guidance"):
        assert not server_state(other)["overlay"]
        assert other in server_state(other)["reason"]


def test_all_other_paths_and_methods_are_not_the_route_s() -> None:
    assert ask("/v1/models") == (299, b"inner")
    assert ask("/agentic-dsl", "POST") == (405, b"")
    assert ask("/agentic-dsl", "HEAD") == (200, b"")
