"""The experiment: its parts against their definitions, and all of it on a few small rooms."""

import json
import shutil

import numpy as np
import pytest
import torch

from helpers.small_experiment import SMALL
from research.experiment.__main__ import main
from research.experiment.attention import own_surface_mass, read_tokens
from research.experiment.cache import MapCache, write_cache
from research.experiment.config import ExperimentConfig
from research.experiment.heads import Head, train_head
from research.experiment.names import VARIANTS
from research.experiment.run import Experiment
from research.experiment.summary import Spread, compare
from research.experiment.variants import build_head
from spd.data.rooms import render_room
from spd.data.sample import RGBDSample
from spd.data.views import middle_placement
from spd.errors import ConfigError, DataError
from spd.models.spd import SPD


def samples(count: int = 3, size=(48, 64)) -> list[RGBDSample]:
    found = []
    for seed in range(count):
        frame = render_room(seed, size=size)
        height, width = size
        points = np.random.default_rng(seed).random((40, 2)) * (width - 1, height - 1)
        exact = np.column_stack([points, frame.depth_at(points)]).astype(np.float32)
        sample = frame.sample(f"room-{seed}")
        found.append(
            RGBDSample(
                sample.image,
                sample.depth_m,
                sample.valid,
                sample.intrinsics,
                sample.name,
                exact_points=exact,
            )
        )
    return found


@pytest.fixture
def trunk(small_config) -> SPD:
    torch.manual_seed(0)
    camera = small_config.camera.model_copy(
        update={"focal_px": 518.8579 / 640 * 56, "crop_height_px": 42, "crop_width_px": 56}
    )
    return SPD(small_config.model_copy(update={"camera": camera})).eval().requires_grad_(False)


def test_the_cache_holds_the_trunks_maps_and_the_exact_points(trunk, tmp_path):
    rooms = samples()
    write_cache(trunk, rooms, tmp_path / "cache")
    cache = MapCache.open(tmp_path / "cache")
    assert len(cache) == 3
    # 64 columns at 0.875 are 56: the view is the whole room, shrunk.
    placement = middle_placement(rooms[1], trunk.config.camera)
    shown = torch.from_numpy(placement.image(rooms[1].image).copy()).permute(2, 0, 1)[None] / 255
    expected = trunk.encode(shown)
    found = cache.maps(np.array([1]))
    for name in ("stride_8_map", "l2", "l1"):
        difference = (getattr(found, name) - getattr(expected, name)).abs().max()
        assert difference < 2e-3 * getattr(expected, name).abs().max()  # half precision
    points = cache.points(np.array([1]))[0].numpy()
    back = (points[:, :2] + 0.5) / placement.scale - 0.5
    known = np.isfinite(points[:, 2])
    assert np.abs(back - rooms[1].exact_points[:, :2])[known].max() < 1e-3
    assert np.array_equal(points[known, 2], rooms[1].exact_points[known, 2])


def test_a_head_learns_the_same_from_the_same_seed(trunk, tmp_path):
    write_cache(trunk, samples(), tmp_path / "cache")
    cache = MapCache.open(tmp_path / "cache")
    training = ExperimentConfig(steps=4, batch_size=2, points_per_image=8).head_training(1, "query")
    heads = [
        Head(VARIANTS["v15.2"], seed, tmp_path / name)
        for name, seed in zip("abc", (0, 0, 1), strict=True)
    ]
    for head in heads:
        train_head(head, cache, trunk.config, training)
    losses = [head.about()["losses"] for head in heads]
    assert losses[0] == losses[1] != losses[2]
    assert heads[0].title == heads[1].title != heads[2].title
    model = heads[0].model(trunk)
    fresh = build_head(VARIANTS["v15.2"], model.config, 0)
    moved = zip(model.local_path.parameters(), fresh.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in moved)
    assert model.encoder is trunk.encoder


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_variants_dense_map_is_its_queries(trunk, name):
    config = trunk.config.model_copy(update={"local_path": VARIANTS[name].local_path})
    head = build_head(VARIANTS[name], config, 0).double().eval()
    maps = trunk.encode(torch.rand(1, 3, 42, 56)).to(torch.float64)
    with torch.inference_mode():
        dense_m = head.dense(maps)[0, 0]
        rows, columns = dense_m.shape
        v, u = np.mgrid[:rows, :columns]
        points = np.stack([(u + 0.5) * 56 / columns - 0.5, (v + 0.5) * 42 / rows - 0.5], axis=-1)
        asked_m = head.query(maps, torch.from_numpy(points.reshape(1, -1, 2)))[0]
    assert torch.allclose(asked_m.view(rows, columns), dense_m, rtol=0, atol=1e-12)


def test_without_its_second_stage_l1_is_not_read(trunk):
    head = build_head(VARIANTS["one stage"], trunk.config, 0)
    maps = trunk.encode(torch.rand(1, 3, 42, 56))
    other = type(maps)(maps.stride_8_map, maps.l2, torch.rand_like(maps.l1), maps.image_size)
    points = torch.tensor([[[3.0, 5.0], [40.5, 20.25]]])
    assert torch.equal(head.query(maps, points), head.query(other, points))
    whole = build_head(VARIANTS["v15.2"], trunk.config, 0)
    assert not torch.equal(whole.query(maps, points), whole.query(other, points))
    assert not any(name.startswith("stage2") for name, _ in head.named_parameters())


def test_attention_sums_to_one_and_its_tokens_lie_where_they_are_read(trunk):
    frame = render_room(3, size=(48, 64))
    tokens = read_tokens(trunk, frame, np.array([[30.0, 20.0], [0.0, 0.0]]))
    assert [(one.stage, one.weights.shape) for one in tokens] == [
        (1, (2, trunk.config.heads, 25)),
        (1, (2, trunk.config.heads, 25)),
        (2, (2, trunk.config.heads, 25)),
    ]
    first = tokens[0].weights.sum(axis=-1) + tokens[1].weights.sum(axis=-1)
    assert first == pytest.approx(1, abs=1e-6)
    assert tokens[2].weights.sum(axis=-1) == pytest.approx(1, abs=1e-6)
    # s8 has a cell every 7 pixels of 56, so every 8 of the frame's 64; L1 every 4.
    assert tokens[0].places[0, 12] == pytest.approx([30, 20], abs=1e-6)
    assert tokens[0].places[0, 0] == pytest.approx([30 - 16, 20 - 16], abs=1e-6)
    assert tokens[2].places[0, 24] == pytest.approx([30 + 8, 20 + 8], abs=1e-6)
    assert tokens[0].places[1, 0] == pytest.approx([-0.5, -0.5])  # beyond the border: its cell
    assert all(one.own[:, 12].all() for one in tokens)  # the middle token is the query itself


def test_uniform_attention_has_the_share_of_own_tokens_as_its_mass(trunk):
    for stage in (trunk.local_path.stage1, trunk.local_path.stage2):
        stage.q_proj.weight.zero_()
        stage.q_proj.bias.zero_()
    rows = own_surface_mass(trunk, [render_room(3, size=(48, 64))])
    assert {row.stage for row in rows} == {1, 2}
    for row in rows:
        assert row.mass == pytest.approx(row.uniform, abs=1e-6)


PAIR = ("v15.2", "v15.1")


def spread(*values: float) -> Spread:
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)), values)


def test_a_difference_is_decided_only_beyond_the_spread():
    low, high = spread(0.100, 0.101, 0.102), spread(0.200, 0.201, 0.202)
    assert compare("AbsRel", PAIR, low, high).verdict == "ahead"
    assert compare("AbsRel", PAIR, high, low).verdict == "behind"
    assert compare("si_f1", PAIR, low, high).verdict == "behind"
    wide = spread(0.05, 0.15, 0.25)
    found = compare("AbsRel", PAIR, low, wide)
    assert found.verdict == "undecided"
    # Welch by hand: variances 1e-6 / 3 and 0.01 / 3; the second alone counts, with 2 degrees of
    # freedom, whose 97.5 % quantile is 4.3027: 0.0577 * 4.3027 = 0.2484 around -0.049.
    assert found.difference == pytest.approx(-0.049)
    assert (found.low, found.high) == pytest.approx((-0.2974, 0.1994), abs=2e-4)


def test_equal_values_are_undecided():
    assert compare("si_f1", PAIR, spread(0.0, 0.0), spread(0.0, 0.0)).verdict == "undecided"


@pytest.mark.parametrize(
    "change",
    [
        "sedes=3",
        "seeds=1",
        "joint_seeds=1",
        "joint_seeds=6",
        'trunk=["train.nothing=1"]',
        "seeds=x",
    ],
)
def test_a_setting_that_is_wrong_is_refused(change, tmp_path, capsys):
    with pytest.raises(ConfigError):
        ExperimentConfig.with_changes([change])
    assert main(["-o", str(tmp_path / "e"), "--set", change]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "e").exists()


def test_a_trunk_that_is_not_there_is_refused_before_anything_is_rendered(tmp_path, capsys):
    rooms = ["train_rooms=1", "val_rooms=1", "held_out_rooms=1", "edge_rooms=1"]
    changes = ["--set", f'trunk_weights="{tmp_path / "nosuch"}"', *rooms]
    assert main(["-o", str(tmp_path / "e"), *changes]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "e").exists()


def test_another_configuration_or_somebodys_folder_is_refused(tmp_path):
    Experiment.start(tmp_path / "e", ExperimentConfig(), ())
    Experiment.start(tmp_path / "e", ExperimentConfig(), ())
    with pytest.raises(DataError, match="another configuration"):
        Experiment.start(tmp_path / "e", ExperimentConfig(seeds=3), ())
    (tmp_path / "mine.txt").touch()
    with pytest.raises(DataError, match="holds no experiment"):
        Experiment.start(tmp_path, ExperimentConfig(), ())


@pytest.mark.slow
def test_the_whole_experiment_and_going_on_with_it(tmp_path, capsys):
    config = ExperimentConfig(
        train_rooms=4,
        val_rooms=1,
        held_out_rooms=2,
        held_out_points=100,
        edge_rooms=1,
        seeds=2,
        steps=2,
        batch_size=2,
        points_per_image=8,
        trunk=SMALL,
        variants=("v15.2", "v15.1", "bilinear", "one stage"),
        joint_steps=2,
    )
    folder = tmp_path / "e"
    Experiment.start(folder, config, ()).run()
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "jointly" in line][-1] == "training jointly: bilinear-1"
    assert said[-3:] == [
        "measuring latency",
        "measuring attention",
        "drawing pictures",
    ]
    summary = json.loads((folder / "summary.json").read_text())
    assert set(summary["numbers"]) == {"v15.2", "v15.1", "bilinear", "one stage"}
    assert set(summary["joint"]) == {"v15.2", "v15.1", "bilinear"}
    for name, found in summary["joint"].items():
        assert found["AbsRel"]["values"] != summary["numbers"][name]["AbsRel"]["values"]
    for found in summary["numbers"].values():
        assert len(found["AbsRel"]["values"]) == 2
        assert 0 < found["AbsRel"]["mean"] < 2
    assert summary["baselines"]["held_out"]["image_median"]["abs_rel"] > 0
    text = (folder / "results.md").read_text()
    for name, found in summary["numbers"].items():
        assert f"| {name} | {found['AbsRel']['mean']:.4f} ± {found['AbsRel']['std']:.4f} |" in text
    for picture in ("seeds", "latency", "attention", "attention_at_an_edge", "edges"):
        assert (folder / f"{picture}.png").stat().st_size > 5000
    # Going on does nothing anew but what is missing.
    head = folder / "heads" / "v15.1-1"
    before = (head / "head.safetensors").read_bytes()
    untouched = (folder / "heads" / "v15.2-0" / "head.safetensors").stat().st_mtime_ns
    shutil.rmtree(head)
    Experiment.open(folder).run()
    assert (head / "head.safetensors").read_bytes() == before
    assert (folder / "heads" / "v15.2-0" / "head.safetensors").stat().st_mtime_ns == untouched
    assert json.loads((folder / "summary.json").read_text())["numbers"] == summary["numbers"]
