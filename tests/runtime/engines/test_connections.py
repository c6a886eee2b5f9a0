"""What stands around a request: keys, certificates, proxies, and the variables that they come from."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("xgrammar")
pytest.importorskip("httpx")

from agentic_dsl.errors import EngineError, GenerationError
from agentic_dsl.runtime.config import config_of
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Message, Prompt
from agentic_dsl.runtime.engines.http import connections
from agentic_dsl.runtime.engines.openai import OpenAIEngine
from tests.runtime.engines.chat_server import ChatServer, chat_server

pytestmark = pytest.mark.masks

REQUEST = EngineRequest(prompt=Prompt((Message("user", "go"),)))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as server:
        yield server


def answer(engine: OpenAIEngine) -> EngineResult:
    try:
        return engine.generate([REQUEST])[0]
    finally:
        engine.close()


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t\r\n"])
@pytest.mark.parametrize("given", [None, "", " "])
def test_a_blank_key_is_none(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, blank: str, given: str | None
) -> None:
    monkeypatch.setenv("AGENTIC_DSL_API_KEY", blank)
    monkeypatch.setenv("OPENAI_API_KEY", "second\n")
    assert answer(OpenAIEngine("tiny", base_url=server.url, api_key=given)).error is None
    monkeypatch.setenv("OPENAI_API_KEY", blank)
    assert answer(OpenAIEngine("tiny", base_url=server.url, api_key=given)).error is None
    assert [one.headers.get("Authorization") for one in server.chats] == ["Bearer second", None]


def test_a_key_that_is_given_wins_over_the_variables(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DSL_API_KEY", "first")
    assert answer(OpenAIEngine("tiny", base_url=server.url, api_key=" own ")).error is None
    assert server.chats[0].headers["Authorization"] == "Bearer own"


# --- variables that httpx reads --------------------------------------------------------------------------------------


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "foo://me:secret@proxy", "ALL_PROXY holds no address of a proxy"),
        ("https_proxy", "http://me:secret@[::1", "https_proxy holds no address of a proxy"),
        ("SSL_CERT_FILE", "/nonexistent/secret.pem", "the certificates that SSL_CERT_FILE names cannot be read"),
        ("SSL_CERT_FILE", __file__, "the certificates that SSL_CERT_FILE names cannot be read"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_not_shown(
    no_variables: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    no_variables.setenv(variable, value)
    error = answer(OpenAIEngine("tiny", base_url="http://127.0.0.1:9/v1")).error
    assert type(error) is GenerationError
    assert said in error.message
    assert variable in str(error.help)
    assert "secret" not in f"{error} {error!r}"
    with pytest.raises(EngineError, match=variable):
        OpenAIEngine("tiny", base_url="http://127.0.0.1:9/v1").capabilities  # noqa: B018  # it asks


def test_a_socks_proxy_without_its_library_is_said(no_variables: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")

    no_variables.setattr(connections.httpx, "AsyncClient", missing)
    no_variables.setenv("all_proxy", "socks5://proxy:1080")
    error = answer(OpenAIEngine("tiny", base_url="http://127.0.0.1:9/v1")).error
    assert error is not None
    assert "all_proxy names a SOCKS proxy" in error.message
    assert "httpx[socks]" in str(error.help)


# --- certificates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\0b", "/nonexistent.pem", "\ud800"])
def test_a_file_of_certificates_that_there_cannot_be_is_said(name: str) -> None:
    with pytest.raises(EngineError, match="cannot be read") as caught:
        OpenAIEngine("tiny", verify_tls=name)
    assert caught.value.message.isprintable()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1, its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, file = tmp_path / "key.pem", tmp_path / "both.pem"
    asked = ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", "-x509", *keys, *asked, "-keyout", key, "-out", file]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text() + key.read_text())
    return file


def test_certificates_are_checked_as_configured(server: ChatServer, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    url = server.url.replace("http:", "https:")

    refusing = OpenAIEngine("tiny", base_url=url, max_retries=5, overlay=False)
    error = answer(refusing).error
    assert error is not None
    assert f"the certificate of {url} is not trusted: self-signed certificate" in error.message
    assert "verify_tls" in str(error.help)
    assert refusing._client.endpoints.all[0].outages == 0

    for written in ("false", "NO", str(certificate)):
        section = {"engines": {"llm": {"backend": "openai", "openai": {"model": "tiny", "base_url": url}}}}
        engine = config_of(section, {"AGENTIC_DSL_ENGINES_LLM_OPENAI_VERIFY_TLS": written}, origin="test").open()
        assert isinstance(engine, OpenAIEngine)
        assert answer(engine).text == "heard: go"
