"""The built distributions work elsewhere, and hold what they should."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", "build", "dist", "*.egg-info", ".*_cache", ".hypothesis"
)

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AGENTIC_DSL_", "COV", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wheel and an sdist, built from a copy so that the checkout stays clean."""
    tree = tmp_path_factory.mktemp("tree") / "agentic-dsl"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=LEFT_OUT)
    for kind in ("--wheel", "--sdist"):
        result = run(sys.executable, "-m", "build", kind, "--no-isolation", ".", cwd=tree)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    (wheel,) = (tree / "dist").glob("*.whl")
    (sdist,) = (tree / "dist").glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def elsewhere(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that has the wheel; third-party packages come from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("elsewhere")
    assert run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder).returncode == 0
    python = folder / "venv" / "bin" / "python"
    where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    # A path in a .pth file is only added to sys.path: an editable install over there is not followed.
    (Path(where) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet")
    installed = run(*pip, "--ignore-installed", built[0], cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return folder


def test_the_wheel_holds_every_module_and_nothing_else(built: tuple[Path, Path]) -> None:
    names = zipfile.ZipFile(built[0]).namelist()
    expected = {str(f.relative_to(ROOT)) for f in (ROOT / "agentic_dsl").glob("*.py")} | {"agentic_dsl/py.typed"}
    for folder in ("cli", "compiler", "grammars", "runtime", "skills"):
        files = [f for f in (ROOT / folder).rglob("*") if f.is_file() and "__pycache__" not in f.parts]
        expected |= {f"agentic_dsl/{f.relative_to(ROOT)}" for f in files}
    contracts = {str(f.relative_to(ROOT)) for f in (ROOT / "agentic_dsl" / "lib").rglob("*.md")}
    assert len(contracts) == 30
    expected |= contracts
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_a_wheel_built_from_the_sdist_is_the_same(built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, sdist = built
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    result = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", ".", cwd=tree)
    assert result.returncode == 0, result.stderr[-2000:]
    (again,) = (tree / "dist").glob("*.whl")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_installed_command_works_elsewhere(elsewhere: Path) -> None:
    command = elsewhere / "venv" / "bin" / "agentic-dsl"
    version = run(command, "--version", cwd=elsewhere)
    assert (version.returncode, version.stdout.split()[0]) == (0, "agentic-dsl"), version.stderr
    spec = ROOT / "examples" / "trip.md"
    checked = run(command, "validate", spec, cwd=elsewhere)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    linted = run(command, "lint", "--lib", "builtin", "--no-cache", spec, cwd=elsewhere)
    assert linted.returncode in (0, 1), linted.stderr  # there may be findings, but the shipped library is found
    compiled = run(command, "compile", spec, "--dialect", "gbnf", cwd=elsewhere)
    assert compiled.returncode == 0, compiled.stderr
    assert "root ::=" in compiled.stdout


def test_the_installed_package_is_the_one_that_runs(elsewhere: Path) -> None:
    program = (
        "import agentic_dsl.compiler, importlib.util\n"
        "print(agentic_dsl.compiler.__file__)\n"
        "print([n for n in ('cli', 'compiler', 'grammars', 'runtime', 'skills') if importlib.util.find_spec(n)])"
    )
    result = run(elsewhere / "venv" / "bin" / "python", "-c", program, cwd=elsewhere)
    path, bare = result.stdout.splitlines()
    assert path.startswith(str(elsewhere))
    assert bare == "[]"
