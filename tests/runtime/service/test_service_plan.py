"""What is checked before a server starts, and what would be run."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_dsl.errors import EngineError, MissingExtraError, ModelError, UsageError
from agentic_dsl.runtime.service.plan import ServeOptions, free_port, plan_server

EMPTY: dict[str, str] = {"PATH": "/usr/bin"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages in which vLLM, our plug-in and one of somebody else are installed."""
    packages = tmp_path / "packages"
    (packages / "vllm").mkdir(parents=True)
    (packages / "vllm" / "__init__.py").touch()
    plugins = {"ours": "agentic-dsl = ours:register", "theirs": "their-models = theirs:register"}
    for name, line in plugins.items():
        folder = packages / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "entry_points.txt").write_text(f"[vllm.general_plugins]\n{line}\n")
    monkeypatch.syspath_prepend(str(packages))
    return packages


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def options(model: object, *extra: str, **changes: object) -> ServeOptions:
    return ServeOptions(**{"model": str(model), "port": 0, "extra": extra} | changes)  # type: ignore[arg-type]


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_missing_vllm_is_named_with_what_goes_beside_it() -> None:
    with pytest.raises(MissingExtraError, match="vLLM is not installed") as caught:
        plan_server(ServeOptions(), EMPTY)
    assert "agentic-dsl[plugin]" in str(caught.value.help)


@pytest.mark.usefixtures("installed")
def test_the_command_names_model_address_and_backend(model: Path) -> None:
    plan = plan_server(options(model, "--max-model-len", "2048"), EMPTY)
    words = list(plan.command)
    assert words[1:3] == ["-m", "vllm.entrypoints.openai.api_server"]
    assert words[words.index("--model") + 1] == str(model)
    assert words[words.index("--served-model-name") + 1] == plan.model == "my-model"
    assert words[words.index("--structured-outputs-config.backend") + 1] == "xgrammar"
    port = words[words.index("--port") + 1]
    assert int(port) > 0
    assert plan.root_url == f"http://127.0.0.1:{port}"
    assert words[-2:] == ["--max-model-len", "2048"]


@pytest.mark.usefixtures("installed")
def test_what_the_operator_says_after_the_dashes_is_not_said_twice(model: Path) -> None:
    extra = ("--served-model-name=mine", "--structured-outputs-config", '{"backend":"xgrammar"}', "--api-key", "secret")
    plan = plan_server(options(model, *extra, "--ssl-certfile", "c.pem"), EMPTY)
    assert (plan.model, plan.api_key) == ("mine", "secret")
    assert plan.root_url.startswith("https://")
    assert "--served-model-name" not in plan.command
    assert "--structured-outputs-config.backend" not in plan.command
    assert plan_server(options(model), EMPTY | {"VLLM_API_KEY": "other"}).api_key == "other"


@pytest.mark.usefixtures("installed")
def test_a_local_model_needs_no_network_and_settings_of_the_operator_stay(model: Path) -> None:
    environment = plan_server(options(model), EMPTY).environment
    assert environment["HF_HUB_OFFLINE"] == environment["VLLM_NO_USAGE_STATS"] == environment["DO_NOT_TRACK"] == "1"
    assert environment["VLLM_HOST_IP"] == "127.0.0.1"
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment, "how much memory a model of theirs needs is theirs to say"
    assert environment["PATH"] == "/usr/bin"
    own = {"HF_HUB_OFFLINE": "0", "VLLM_HOST_IP": "10.0.0.1"}
    assert plan_server(options(model), EMPTY | own).environment.items() >= own.items()
    assert "VLLM_HOST_IP" not in plan_server(options(model, host="0.0.0.0"), EMPTY).environment
    assert "HF_HUB_OFFLINE" not in plan_server(options("s3://bucket/model"), EMPTY).environment


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("plugin", "chosen", "loaded"),
    [
        (True, None, None),
        (True, "a,b", {"a", "agentic-dsl", "b"}),
        (False, None, {"their-models"}),
        (False, "a,agentic-dsl", {"a"}),
        (False, "", set()),
    ],
)
def test_our_plugin_is_loaded_or_not_and_those_of_others_as_ever(
    model: Path, plugin: bool, chosen: str | None, loaded: set[str] | None
) -> None:
    environment = EMPTY if chosen is None else EMPTY | {"VLLM_PLUGINS": chosen}
    plan = plan_server(options(model, plugin=plugin), environment)
    assert ("agentic_dsl.runtime.plugins.vllm_route.StateRoute" in plan.command) is plugin
    if loaded is None:
        assert "VLLM_PLUGINS" not in plan.environment
    else:
        names = set(filter(None, plan.environment["VLLM_PLUGINS"].split(",")))
        assert loaded <= names
        assert ("agentic-dsl" in names) is plugin


@pytest.mark.usefixtures("installed")
def test_a_port_that_is_taken_is_said_at_once(model: Path, taken: int) -> None:
    with pytest.raises(UsageError, match=rf"port {taken} of 127\.0\.0\.1 is in use"):
        plan_server(options(model, port=taken), EMPTY)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("nowhere.invalid", "is no address"),
        ("203.0.113.1", "cannot be used: Cannot assign"),
        ("a..b", '"a..b" is no address'),
        ("a" * 70, "is no address"),
        ("\udcff", "is no address"),
    ],
)
def test_an_address_of_another_machine_or_of_none_is_refused(host: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        free_port(host, 0)
    assert "--host" in str(caught.value.help)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("host", "url"), [("0.0.0.0", "http://127.0.0.1:"), ("localhost", "http://localhost:")])
def test_the_url_is_one_that_clients_on_this_machine_reach(model: Path, host: str, url: str) -> None:
    assert plan_server(options(model, host=host), EMPTY).root_url.startswith(url)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--port", "1"), "--port stands after --"),
        (("--model=x",), "--model stands after --"),
        (("smollm2",), '"smollm2" stands alone'),
    ],
)
def test_arguments_that_would_be_two_truths_are_refused(model: Path, extra: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_server(options(model, *extra), EMPTY)


@pytest.mark.usefixtures("installed")
def test_a_model_that_is_not_there_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(tmp_path / "models"))
    with pytest.raises(ModelError, match="not pulled") as caught:
        plan_server(ServeOptions(port=0), EMPTY)
    assert caught.value.help == "run: agentic-dsl models pull smollm2"
    with pytest.raises(ModelError, match='there is no model "smolm"'):
        plan_server(options("smolm"), EMPTY)
    with pytest.raises(ModelError, match="holds no model"):
        plan_server(options(tmp_path), EMPTY)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["m" * 300, "m" * 5_000, "~nobody-of-this-name/m", "\udcff"])
def test_a_name_that_no_file_can_have_is_a_model_that_is_not_there(name: str) -> None:
    with pytest.raises(ModelError, match="there is no") as caught:
        plan_server(options(name), EMPTY)
    assert "name a folder" in str(caught.value.help) or "check the name" in str(caught.value.help)


@pytest.mark.usefixtures("installed")
def test_a_long_url_of_a_model_is_left_to_vllm() -> None:
    url = f"s3://bucket/{'m' * 300}"
    assert url in plan_server(options(url), EMPTY).command


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("key", ["kéy", "two\nlines", " xyzzy", "\udcff"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(model: Path, key: str) -> None:
    with pytest.raises(UsageError, match="the value of --api-key has") as caught:
        plan_server(options(model, "--api-key", key), EMPTY)
    assert key not in str(caught.value)
    assert caught.value.help
    with pytest.raises(UsageError, match="VLLM_API_KEY has"):
        plan_server(options(model), EMPTY | {"VLLM_API_KEY": key})
    assert plan_server(options(model, "--api-key=good"), EMPTY | {"VLLM_API_KEY": key}).api_key == "good"


@pytest.mark.usefixtures("installed")
def test_the_embedded_model_is_served_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models" / "smollm2"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    manifest = {"format": 1, "model": "smollm2", "files": {"config.json": {"bytes": 2, "sha256": "0"}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(tmp_path / "models"))
    plan = plan_server(ServeOptions(port=0), EMPTY)
    assert plan.model == "smollm2"
    assert str(folder) in plan.command
    assert plan.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"


def test_a_plugin_that_vllm_cannot_find_is_said_at_once(
    installed: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [str(installed), str(installed / "nothing")])
    (installed / "ours-1.dist-info" / "entry_points.txt").write_text("")
    with pytest.raises(EngineError, match="vLLM cannot find the plug-in"):
        plan_server(options(model), EMPTY)
    assert plan_server(options(model, plugin=False), EMPTY).plugin is False
