"""A real HTTP server with an OpenAI-compatible chat route, whose model is our random engine.

What it answers to a grammar is generated from the contract that it reads in it, token by token, so that a round trip
is one. Failures are scripted: each request takes the next act off `ChatServer.acts`, and is answered when none is left.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.runtime.engines.base import EngineRequest, EngineResult, Message, Prompt, Sampling
from agentic_dsl.runtime.engines.random import RandomEngine
from agentic_dsl.runtime.wire import has_contract, read_contract

Act = Callable[["ChatHandler"], None]


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


class ChatServer(ThreadingHTTPServer):
    """Serves until `close`."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ChatHandler)
        self.models = ["tiny"]
        self.overlay: bool | None = None
        self.ids = "vllm"
        self.contract = 1
        self.facts: Act | None = None
        self.acts: list[Act] = []
        self.seen: list[Seen] = []
        self.delay = 0.0
        self.health = 200
        self.token_delay = 0.0
        self.connections = 0
        self.most_connections = 0
        self.sockets: set[socket.socket] = set()
        self.aborted = threading.Event()
        self.started = threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @cached_property
    def engine(self) -> RandomEngine:
        return RandomEngine(closing_boost=4.0, jump_forward=False)

    @cached_property
    def grammar_engine(self) -> RandomEngine:
        return RandomEngine(closing_boost=4.0, jump_forward=False, semantic=False)

    @property
    def chats(self) -> list[Seen]:
        return [one for one in self.seen if one.path.endswith("/chat/completions")]

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def kill(self) -> None:
        """As if the process had died: no new connections, and those that there are break."""
        self.close()
        with self.lock:
            for connection in self.sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests, not of their output."""

    def answer(self, body: Mapping[str, Any]) -> EngineResult:
        """What the model says, by the contract in the grammar; semantic rules hold only where there is an overlay."""
        grammar = body.get("structured_outputs", {}).get("grammar") or body.get("ebnf")
        if grammar is None:
            text = f"heard: {body['messages'][-1]['content']}"
            ids = (*text.encode(), 256)
            return EngineResult(text=text, token_ids=ids, prompt_token_ids=(1, 2, 3), finish="stop")
        assert has_contract(grammar)
        contract = read_contract(grammar)
        engine = self.engine if self.overlay else self.grammar_engine
        asked = EngineRequest(
            prompt=Prompt((Message("user", body["messages"][-1]["content"]),)),
            spec=compile(contract.constraints),
            sampling=Sampling(temperature=body["temperature"], seed=body.get("seed")),
            max_output_tokens=body.get("max_tokens"),
        )
        with self.lock:
            return engine.generate([asked])[0]


class ChatHandler(BaseHTTPRequestHandler):
    """One connection."""

    server: ChatServer
    body: dict[str, Any]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1
            self.server.sockets.add(self.connection)
            self.server.most_connections = max(self.server.most_connections, self.server.connections)

    def finish(self) -> None:
        with self.server.lock:
            self.server.connections -= 1
            self.server.sockets.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self.server.seen.append(Seen("GET", self.path, dict(self.headers), {}))
        if self.path == "/v1/models":
            self.send_json({"object": "list", "data": [{"id": name, "object": "model"} for name in self.server.models]})
        elif self.path == "/health":
            self.send_raw(b"", self.server.health)
        elif self.path == "/agentic-dsl" and self.server.facts is not None:
            self.server.facts(self)
        elif self.path == "/agentic-dsl" and self.server.overlay is not None:
            self.send_json({"version": "0.1.0", "contract": self.server.contract, "overlay": self.server.overlay})
        else:
            self.send_json({"detail": "Not Found"}, 404)

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.append(Seen("POST", self.path, dict(self.headers), self.body))
            act = self.server.acts.pop(0) if self.server.acts else None
        self.server.started.set()
        if act is not None:
            return act(self)
        if self.path != "/v1/chat/completions":
            return self.send_json({"detail": "Not Found"}, 404)
        if self.body["model"] not in self.server.models:
            message = f"The model `{self.body['model']}` does not exist."
            return self.send_json({"error": {"message": message, "type": "NotFoundError", "code": 404}}, 404)
        time.sleep(self.server.delay)
        result = self.server.answer(self.body)
        if result.error is not None:
            return self.send_json({"error": {"message": result.error.message, "code": 400}}, 400)
        if self.body.get("stream"):
            return self.send_stream(self.pieces(result))
        return self.send_json(self.whole(result))

    # --- what is sent ---

    def whole(self, result: EngineResult, **changes: Any) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": result.text},
            "finish_reason": result.finish,
        }
        answer: dict[str, Any] = {"id": "x", "choices": [choice], "usage": usage(result)}
        if self.body.get("return_token_ids"):
            choice["token_ids"] = list(result.token_ids)
            place = choice if self.server.ids == "sglang" else answer
            place["prompt_token_ids"] = list(result.prompt_token_ids)
        return answer | changes

    def pieces(self, result: EngineResult) -> Iterator[dict[str, Any]]:
        """Ten bytes at a time, as the two servers send them."""
        in_sglext = self.body.get("return_output_ids_in_sglext")
        first: dict[str, Any] = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
        if self.body.get("return_token_ids"):
            first["prompt_token_ids"] = list(result.prompt_token_ids)
        yield first
        data = result.text.encode()
        for at in range(0, len(data), 10):
            choice: dict[str, Any] = {"index": 0, "delta": {"content": data[at : at + 10].decode()}}
            if self.body.get("return_token_ids"):
                choice["token_ids"] = list(data[at : at + 10])
            yield {"choices": [choice]}
            time.sleep(self.server.token_delay)
        last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": result.finish}
        if self.body.get("return_token_ids"):
            last["token_ids"] = [result.token_ids[-1]]
        yield {"choices": [last]}
        if in_sglext:
            ids = {"input_ids": list(result.prompt_token_ids), "output_ids": [list(result.token_ids)]}
            yield {"choices": [], "sglext": ids}
        yield {"choices": [], "usage": usage(result)}

    def send_json(self, record: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_raw(json.dumps(record).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def send_raw(self, data: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_stream(self, records: Iterator[Any], *, ends: bool = True) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for record in records:
                self.chunk(f"data: {json.dumps(record)}\n\n")
            if ends:
                self.chunk("data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.server.aborted.set()
            raise
        if not ends:
            self.hang_up()

    def chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()


def usage(result: EngineResult) -> dict[str, Any]:
    return {
        "prompt_tokens": len(result.prompt_token_ids),
        "completion_tokens": len(result.token_ids),
        "prompt_tokens_details": {"cached_tokens": 2},
    }


def status(code: int, message: str = "no", headers: Mapping[str, str] | None = None) -> Act:
    """An act that refuses with a status."""
    return lambda handler: handler.send_json({"error": {"message": message, "code": code}}, code, headers)


def says(text: str, finish: str = "stop") -> Act:
    """An act that answers a text, whatever was asked."""
    return lambda handler: handler.send_json({"choices": [{"message": {"content": text}, "finish_reason": finish}]})


def sends(data: bytes, kind: str = "application/json") -> Act:
    """An act that sends bytes as they are."""
    return lambda handler: handler.send_raw(data, 200, {"Content-Type": kind})


@contextmanager
def chat_server(**settings: Any) -> Iterator[ChatServer]:
    """A server with some of its attributes set."""
    server = ChatServer()
    for name, value in settings.items():
        setattr(server, name, value)
    try:
        yield server
    finally:
        server.close()
