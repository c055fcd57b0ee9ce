"""The wheel that `python -m build` makes holds the package alone and answers once installed."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from helpers.paths import ROOT

pytest.importorskip("build", reason="comes with the extra dev")
pytest.importorskip("twine", reason="comes with the extra dev")
pytestmark = pytest.mark.slow
LARGEST_WHEEL_MB = 24
LARGEST_BASE_MB = 400
SOURCES = ("src", "pyproject.toml", "README.md", "LICENSE")


def run(*words: str | Path, cwd: Path) -> str:
    """The output of a program that must succeed; it sees no package of this repository."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        words, cwd=cwd, env=clean, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (folder / "dist").glob("spd-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel and what it requires, from the registry; its `bin`."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "-c", ROOT / "constraints.txt", wheel, cwd=folder)
    return programs


def test_the_wheel_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {re.sub(r"-.*(?=\.dist-info)", "", top) for top in tops} == {"spd", "spd.dist-info"}
    package = ROOT / "src"
    there = {
        str(path.relative_to(package)) for path in (package / "spd").rglob("*.*") if path.is_file()
    }
    wanted = {name for name in there if "__pycache__" not in name}
    assert wanted - set(names) == set()
    assert wheel.stat().st_size <= LARGEST_WHEEL_MB * 1e6


def test_the_registry_would_take_the_wheel(wheel):
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout


def test_the_installed_wheel_answers_without_torch(installed, tmp_path):
    table = run(installed / "spd", "demo", cwd=tmp_path)
    assert len(re.findall(r"^ +\d+ +\d+ +\d\.\d{3} +\d\.\d{3} +-?\d\.\d{3}$", table, re.M)) == 6
    asked = ("query", "room.png", "--points", "330,140", "--focal-px", "518.9", "--csv")
    assert "330.0,140.0,5.7952," in run(installed / "spd", *asked, cwd=tmp_path)
    absent = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('transformers'))"
    assert run(installed / "python", "-c", absent, cwd=tmp_path).split() == ["None", "None"]


def test_the_base_environment_is_small(installed):
    files = {path.resolve() for path in installed.parent.rglob("*") if path.is_file()}
    inside = [path for path in files if path.is_relative_to(installed.parent)]
    assert sum(path.stat().st_size for path in inside) <= LARGEST_BASE_MB * 1e6
