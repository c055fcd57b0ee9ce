"""The README's own words: its snippet runs, its commands and files exist, its figures are true."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.paths import ROOT
from spd.config import ModelConfig
from spd.cost import mac_tables
from spd.models.spd import SPD

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_snippet_runs_as_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("out/held_out").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(noise).save("out/held_out/val-000001.png")
    snippet = re.search(r"```python\n(.*?)```", TEXT, re.S).group(1)
    scope: dict[str, object] = {}
    exec(compile(snippet, "README", "exec"), scope)
    assert scope["depth_m"].shape == (480, 640)
    assert capsys.readouterr().out.count("[") == 2


def test_the_two_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("run", "test", "test-all", "soak", "check", "train", "model"):
        assert re.search(rf"^{target}:", makefile, re.M), target
        assert f"make {target}" in TEXT


def test_named_files_exist():
    linked = re.findall(r"\]\(([\w/.-]+)\)", TEXT)
    named = re.findall(r"`((?:src|tests|docs)/[\w/.]+)`", TEXT)
    assert len(linked) > 5
    assert [name for name in linked + named if not (ROOT / name).exists()] == []


def test_figures_are_the_computed_ones():
    model = SPD(ModelConfig())
    counts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }
    local = counts.pop("local_path")
    assert f"{sum(counts.values()):,}" in TEXT
    assert f"{local:,}" in TEXT
    rows = {row.key: row.values for table in mac_tables(ModelConfig()) for row in table.rows}
    specified, implemented = rows["10.2/total"]
    assert f"{implemented / 1e6:.3f} M (as first specified: {specified / 1e6:.3f} M)" in TEXT


@pytest.mark.parametrize("name", ["torch", "transformers", "numpy", "typer", "pytest"])
def test_the_constraints_satisfy_the_project(name):
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    lowest = next(re.search(r">=([\d.]+)", w).group(1) for w in wanted if w.startswith(name))
    version = lambda text: [int(part) for part in text.split(".")]  # noqa: E731
    assert version(pins[name]) >= version(lowest)
    assert "+" not in pins[name]  # no local version tag
