"""The page `docs/conventions.md` is true: its rules are pinned here where no other test does it."""

import ast
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import spd
from helpers.checkpoints import save_checkpoint
from helpers.paths import ROOT
from helpers.samples import random_maps, slanted_sample
from spd.checkpoints.checkpoint import load_checkpoint
from spd.config import ModelConfig
from spd.data.sample import RGBDSample
from spd.errors import DataError
from spd.geometry import resize_bilinear
from spd.pixels import Intrinsics
from spd.predictors.torch_predictor import Predictor
from spd.recipes import RECIPES, recipe

PACKAGE = ROOT / "src" / "spd"
PAGE = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rules() -> list[str]:
    """The page's list items, each with its continuation lines."""
    listed = PAGE.split("## Images and sizes")[1]
    return [item for item in re.split(r"\n(?=- |#)", "\n" + listed) if item.startswith("- ")]


def test_every_test_that_the_page_names_exists():
    named = TEST_NAME.findall(PAGE)
    assert len(named) > 50
    for file, name in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert f"\ndef {name}(" in source, f"{file} has no {name}; correct docs/conventions.md"


def test_every_rule_of_the_page_names_its_test():
    assert len(rules()) > 30
    for rule in rules():
        assert TEST_NAME.search(rule), f"no test is named for: {rule}"


def shape_letters(path: Path) -> set[str]:
    """The names in a file's jaxtyping shapes, without multipliers: `2h` is `h`."""
    letters: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            continue
        if node.value.id in ("Float", "Int", "Bool", "UInt8") and isinstance(node.slice, ast.Tuple):
            shape = ast.literal_eval(node.slice.elts[1])
            letters |= {re.sub(r"^\d+", "", word.lstrip("*")) for word in shape.split()}
    return letters - {"", "..."}


def test_convention_every_dimension_letter_is_in_the_legend():
    legend = PAGE.split("## Dimension letters")[1].split("\n## ")[0]
    known = {word for cell in re.findall(r"^\| (.+?) \|", legend, re.M) for word in cell.split()}
    files = [p for p in PACKAGE.rglob("*.py") if not {"rooms", "figures"} & set(p.parts)]
    used = set().union(*(shape_letters(path) for path in files))
    assert {"b", "k", "d", "h", "w"} <= used
    assert used <= {word.strip("`") for word in known}


def test_convention_sampling_lives_in_geometry_alone():
    forbidden = {"interpolate", "grid_sample", "upsample", "Upsample", "affine_grid"}
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "geometry.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
            assert name not in forbidden, f"{path.name}:{node.lineno} calls {name}"
            assert not (isinstance(node, ast.keyword) and node.arg == "align_corners"), path


def test_every_section_that_the_code_cites_is_in_the_architecture_page():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^#+ ([\d.]+?)\.? ", page, re.M))
    assert {"1", "6", "6.4", "10.6"} <= sections
    for path in PACKAGE.rglob("*.py"):
        text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        cited = re.findall(r"specification, (?:sections? )?([1-9]\d*(?:\.\d+)?)", text)
        assert set(cited) <= sections, f"{path.name} cites {set(cited) - sections}"


def test_convention_the_checkpoint_stores_its_camera_and_crop(tmp_path):
    camera = ModelConfig().camera
    assert (camera.focal_px, camera.fov_deg, camera.crop_size) == (389.1, 63.3, (350, 476))
    tiny = ModelConfig.tiny()
    save_checkpoint(spd.SPD(tiny), tmp_path / "model")
    stored = json.loads((tmp_path / "model" / "config.json").read_text())["model"]["camera"]
    assert (stored["focal_px"], stored["fov_deg"]) == (tiny.camera.focal_px, 63.3)
    assert [stored["crop_height_px"], stored["crop_width_px"]] == [168, 224]
    assert load_checkpoint(tmp_path / "model")[0].config.camera == tiny.camera


def test_convention_presets_keep_the_field_of_view_of_nyu():
    # 640 columns at 518.8579 px see 63.3 degrees; so do 0.35 * 640 = 224 columns at 181.6 px.
    for camera, columns in ((ModelConfig().camera, 480), (ModelConfig.tiny().camera, 224)):
        seen = 2 * np.degrees(np.arctan(columns / 2 / camera.focal_px))
        assert seen == pytest.approx(camera.fov_deg, abs=0.1)  # focal lengths have four digits


@pytest.mark.filterwarnings("ignore:the photo covers")
def test_convention_a_forbidden_scale_multiplies_the_answer(small_model):
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    predictor = Predictor(small_model, torch.device("cpu"), "small")
    scene = predictor.encode(image, focal_px=50_000.0)  # a telescope: 60 rows would become 0.2
    assert scene.plan.scale == pytest.approx(15 / 60)
    factor = scene.plan.scale / (small_model.config.camera.focal_px / 50_000.0)
    assert factor > 50
    point = [(44.0, 31.0)]
    moved = (torch.tensor([[[44.5, 31.5]]]) * scene.plan.scale) - 0.5
    with torch.no_grad():
        plain_m = float(small_model.query(scene._maps, moved)[0, 0])
    assert scene.depth_at(point)[0] == pytest.approx(factor * plain_m, rel=1e-5)


def test_convention_ground_truth_at_row_v_and_column_u_is_the_depth_at_u_v():
    sample = slanted_sample()
    points = sample.reading_points()
    u, v = points.astype(int).T
    assert np.array_equal(points, np.stack([u, v], axis=1))  # whole numbers: pixel centres
    assert (u.max(), v.max()) == (63, 47)
    assert np.array_equal(sample.depth_m[v, u], sample.depth_m[sample.valid])


def test_convention_depth_is_float32(small_model):
    sample = slanted_sample()
    with pytest.raises(DataError, match=r"depth must be float32 \[H, W\] metres, got float64"):
        RGBDSample(sample.image, sample.depth_m.astype(float), sample.valid, None, "wide")
    scene = Predictor(small_model, torch.device("cpu"), "x").encode(sample.image, focal_px=50.0)
    answers = (scene.depth_at([(3, 4)]), scene.range_at([(3, 4)]), scene.depth_map(fast=True))
    assert [answer.dtype for answer in answers] == [np.float32] * 3


def test_convention_a_camera_sees_u_right_and_v_down():
    # A point one metre right and half a metre down, two metres ahead.
    camera = Intrinsics(fx=100.0, fy=200.0, cx=31.5, cy=23.5)
    u, v = camera.fx * 1 / 2 + camera.cx, camera.fy * 0.5 / 2 + camera.cy
    length = camera.ray_lengths(torch.tensor([[u, v]], dtype=torch.float64))
    assert float(2 * length) == pytest.approx((1 + 0.25 + 4) ** 0.5)


def test_convention_forward_is_dense_resized_to_the_image(small_model):
    images = torch.rand(2, 3, 42, 70)
    with torch.no_grad():
        expected = resize_bilinear(small_model.dense(small_model.encode(images)), (42, 70))
        assert torch.equal(small_model(images), expected)


def test_convention_maps_know_the_image_they_came_from(small_model):
    with torch.no_grad():
        maps = small_model.encode(torch.rand(1, 3, 42, 70))
        # Points are in pixels of that image whatever the maps' own sizes are.
        corner = torch.tensor([[[69.5, 41.5]]])
        assert torch.isfinite(small_model.query(maps, corner)).all()
    assert maps.image_size == (42, 70)
    sizes = [tuple(m.shape[-2:]) for m in (maps.stride_8_map, maps.l2, maps.l1)]
    assert sizes == [(6, 10), (6, 10), (12, 20)]


def test_convention_layer_norms_have_epsilon_1e_5_and_dinov2_keeps_its_own(small_model):
    norms = [
        (name, module.eps)
        for name, module in small_model.named_modules()
        if isinstance(module, torch.nn.LayerNorm)
    ]
    ours = [eps for name, eps in norms if not name.startswith("encoder.")]
    assert len(ours) == 4 + 2 * 2  # the neck's levels, two a stage
    assert set(ours) == {1e-5}
    assert {eps for name, eps in norms if name.startswith("encoder.")} == {1e-6}


def test_convention_head_works_in_float32_under_bfloat16(small_model):
    maps = random_maps(small_model.config.dim, (2, 3), dtype=torch.float32)
    seen = []
    for layer in small_model.local_path.head:
        layer.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        small_model.query(maps, torch.rand(1, 3, 2))
        small_model.dense(maps)
    assert seen == [torch.float32] * 6


def test_convention_both_lambdas_and_both_objectives_are_recipes():
    found = {name: recipe(name).train for name in RECIPES}
    assert (found["nyu_v15_2"].silog, found["nyu_v15_2"].objective) == ("specification", "dense")
    for name in ("rooms_tiny", "rooms_small"):
        assert (found[name].silog, found[name].objective) == ("bts", "query")
        # 5e-6 cannot move a random encoder, so these recipes have their own rates.
        assert (found[name].encoder_weights, found[name].encoder_lr) == (None, 5e-4)
    assert found["nyu_v15_2"].encoder_weights == "facebook/dinov2-small"


PUBLIC = [
    *("FeatureMaps", "ModelConfig", "Predictor", "SPD", "Scene", "__version__"),
    *("example_photo", "load", "pipeline"),
]
SIGNATURES = {
    "SPD": "(config)",
    "SPD.encode": "(self, images)",
    "SPD.query": "(self, maps, points, *, outside='raise', form=None)",
    "SPD.dense": "(self, maps, *, form=None)",
    "SPD.forward": "(self, images)",
    "FeatureMaps": "(stride_8_map, l2, l1, image_size)",
    "FeatureMaps.to": "(self, target)",
    "FeatureMaps.detach": "(self)",
    "ModelConfig.tiny": "()",
    "ModelConfig.small": "()",
    "example_photo": "()",
    "load": (
        "(source=None, *, device=None, runtime=None, precision=None, calibration=None, "
        "max_megapixels=None, max_input_megapixels=None, memory=None, threads=None)"
    ),
    "pipeline": "(model=None, *, steps_per_metre=1000, **loaded)",
    "Predictor.encode": (
        "(self, image, *, focal_px=None, fov_deg=None, intrinsics=None, channels='rgb')"
    ),
    "Scene.depth_at": "(self, points, *, outside='raise')",
    "Scene.range_at": "(self, points, intrinsics=None, distortion=None, *, outside='raise')",
    "Scene.depth_map": "(self, *, fast=False)",
}


def plain_signature(dotted: str) -> str:
    """Names, order, kinds and defaults of the parameters, without their types."""
    found = spd
    for name in dotted.split("."):
        found = getattr(found, name)
    signature = inspect.signature(found)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


def test_public_names_are_a_contract():
    assert sorted(spd.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(spd))
    assert {dotted: plain_signature(dotted) for dotted in SIGNATURES} == SIGNATURES
    assert issubclass(spd.SPD, torch.nn.Module)
    with pytest.raises(AttributeError, match="no attribute 'encode'"):
        spd.encode  # noqa: B018
