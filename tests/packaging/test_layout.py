"""Disk, links and the package list say the same; nothing of ours has a bare name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
LINKS = ("cli", "compiler", "grammars", "runtime", "skills")


def packages_on_disk() -> set[str]:
    found = {"agentic_dsl"}
    for name in LINKS:
        for init in (ROOT / name).rglob("__init__.py"):
            found.add(".".join(("agentic_dsl", *init.parent.relative_to(ROOT).parts)))
    return found


def test_the_package_list_names_every_folder_on_disk() -> None:
    assert set(SETUPTOOLS["packages"]) == packages_on_disk()
    assert len(SETUPTOOLS["packages"]) == len(set(SETUPTOOLS["packages"]))


def test_every_python_file_stands_in_a_package() -> None:
    for name in LINKS:
        for file in (ROOT / name).rglob("*.py"):
            assert (file.parent / "__init__.py").exists(), f"{file} is in no package"


def test_the_package_dir_maps_exactly_the_linked_folders() -> None:
    expected = {"agentic_dsl": "agentic_dsl"} | {f"agentic_dsl.{name}": name for name in LINKS}
    assert SETUPTOOLS["package-dir"] == expected


def test_the_links_are_relative_and_point_at_the_folders() -> None:
    links = {path.name: path for path in (ROOT / "agentic_dsl").iterdir() if path.is_symlink()}
    assert sorted(links) == sorted(LINKS)
    for name, path in links.items():
        assert path.readlink().as_posix() == f"../{name}"
        assert path.is_dir()


def test_git_keeps_the_links_as_links() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-s", "agentic_dsl"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode or not listing.stdout:
        pytest.skip("not a git checkout")
    modes = {line.split("\t")[1]: line.split()[0] for line in listing.stdout.splitlines()}
    for name in LINKS:
        assert modes[f"agentic_dsl/{name}"] == "120000"


def test_data_files_are_in_the_package_data() -> None:
    assert (ROOT / "agentic_dsl" / "py.typed").exists()
    shipped = {
        file
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for file in ROOT.joinpath(*(package.split(".")[1:] or ["agentic_dsl"])).glob(pattern)
    }
    folders = (*LINKS, "agentic_dsl/lib")
    for file in (file for name in folders for file in (ROOT / name).rglob("*")):
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts:
            assert file in shipped, f"{file} is not shipped"


def test_the_core_contract_lists_every_core_module() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    core = next(contract for contract in contracts if contract["id"] == "core")
    modules = {f"agentic_dsl.{file.stem}" for file in (ROOT / "agentic_dsl").glob("*.py") if file.stem != "__init__"}
    assert set(core["source_modules"]) == modules


def test_ruff_bans_the_bare_names() -> None:
    banned = PROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert set(banned) >= set(LINKS)


def test_a_bare_import_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    file.write_text("import compiler\nimport runtime.masks\n\nprint(compiler, runtime)\n", encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout.count("TID251") == 2


def test_every_dependency_has_a_reason_in_the_docs() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    project = PROJECT["project"]
    required = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    for requirement in required:
        name = re.split(r"[<>=\[]", requirement, maxsplit=1)[0].strip()
        if name != project["name"]:
            assert f"| `{name}` |" in page, f"docs/dependencies.md gives no reason for {name}"


def test_every_package_that_is_imported_is_a_dependency() -> None:
    distribution = {"yaml": "pyyaml", "opentelemetry": "opentelemetry_api"}
    engines = {"vllm", "sglang"}  # people install these by themselves, with us beside them
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    declared = {
        re.split(r"[<>=\[]", text, maxsplit=1)[0].strip().replace("-", "_").lower()
        for text in [
            *project["dependencies"],
            *(text for name, extra in extras.items() if name != "dev" for text in extra),
        ]
    } | engines
    for name in ("agentic_dsl", *LINKS):
        for file in (ROOT / name).glob("*.py") if name == "agentic_dsl" else (ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for top in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"agentic_dsl"}:
                    assert distribution.get(top, top) in declared, f"{file} imports {top}, which nothing declares"


def test_pinned_versions_are_within_the_ranges_of_the_project() -> None:
    from packaging.requirements import Requirement

    pins = {}
    for line in (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pins[name.lower()] = version
    assert pins["torch"] == "2.13.0"
    project = PROJECT["project"]
    for text in [*project["dependencies"], *(d for e in project["optional-dependencies"].values() for d in e)]:
        requirement = Requirement(text)
        if (pin := pins.get(requirement.name.lower())) is not None:
            assert requirement.specifier.contains(pin), f"{requirement} excludes the pinned {pin}"
