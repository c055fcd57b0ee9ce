"""Recipes read from TOML and JSON files; the shipped model's own are such files."""

import json

import pytest

from helpers.paths import ROOT
from spd.cli import run
from spd.config import ModelConfig
from spd.errors import ConfigError
from spd.recipes import RECIPES, Recipe, TrainConfig, recipe

SHIPPED = sorted((ROOT / "research" / "recipes").glob("*.toml"))


def test_what_a_file_leaves_out_keeps_its_default(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nsteps = 700\nbeside = ['conv']\n[model]\ndim = 32\n")
    assert recipe(str(file)) == Recipe(
        name="mine", model=ModelConfig(dim=32), train=TrainConfig(steps=700, beside=("conv",))
    )


def test_a_recipe_written_as_json_is_read_back(tmp_path):
    for name in RECIPES:
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(recipe(name).to_dict()))
        assert recipe(str(file)) == recipe(name)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mine.toml", "[train]\nspeed = 3\n", r"mine\.toml: Recipe: train: .*speed"),
        ("mine.toml", "[train]\nsteps = 0.5\n", r"mine\.toml: Recipe: train: .*steps"),
        ("mine.toml", "steps 3", r"mine\.toml is not valid TOML"),
        ("mine.json", "[1]", r"mine\.json: Recipe: expected a JSON object"),
        ("mine.json", "{", r"mine\.json is not valid JSON"),
        (
            "mine.yaml",
            "",
            r"unknown recipe .*mine\.yaml'; expected nyu_v15_2, .*\.toml or \.json file",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(tmp_path, name, text, message):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        recipe(str(file))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_is_refused():
    with pytest.raises(ConfigError, match=r"cannot read recipe nowhere\.toml: No such file"):
        recipe("nowhere.toml")


def test_the_shipped_models_recipes_share_its_model_and_are_named_like_their_files():
    names = [path.stem for path in SHIPPED]
    assert names == ["rooms_lenses", "rooms_longer", "rooms_shipped", "rooms_trunk"]
    found = {path.stem: recipe(str(path)) for path in SHIPPED}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, one in found.items():
        assert one.name == name
        assert one.model == ModelConfig.small()
        assert f"$(RECIPES)/{name}.toml" in makefile
    steps = {name: one.train.steps for name, one in found.items()}
    assert steps == {
        "rooms_trunk": 12_000, "rooms_longer": 20_000,
        "rooms_lenses": 16_000, "rooms_shipped": 9_000,
    }  # fmt: skip


def test_a_run_is_planned_from_a_file_and_its_folder_has_the_recipes_name(
    rgbd_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    tiny = recipe("rooms_tiny").to_dict() | {"name": "mine"}
    (tmp_path / "tiny.json").write_text(json.dumps(tiny))
    arguments = ["train", "--recipe", "tiny.json", "--data", f"{rgbd_folder}:train", "--plan"]
    assert run(arguments) == 0, capsys.readouterr().err
    assert "1,200" in capsys.readouterr().out
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "notes.txt").touch()
    assert run(arguments[:-1]) == 2
    assert "runs/mine" in capsys.readouterr().err
