"""A published model answers what transformers' own processing of it says, pixel by pixel."""

import importlib.util
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import AutoImageProcessor, AutoModelForDepthEstimation
from transformers.models.zoedepth import image_processing_pil_zoedepth as zoe_module

import spd
from helpers import tiny_peers
from helpers.photo_files import picture
from spd.errors import InputError, PointError
from spd.peers.loading import _UNUSED
from spd.peers.peer_predictor import PeerConfig, PeerPredictor
from spd.peers.processing import open_processing

SIZES = [(37, 53), (64, 33), (40, 131)]  # odd, upright, oblong; (height, width)
PROCESSED = ["depth_anything", "metric_depth_anything", "dpt", "glpn", "zoedepth"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for name, build in tiny_peers.PEERS.items():
        torch.manual_seed(0)
        made[name] = tiny_peers.write_peer(tmp_path_factory.mktemp("peers") / name, *build())
    return made


@pytest.fixture
def torchvision_resize(monkeypatch):
    """The one function of torchvision that ZoeDepth's processor calls, where it is not there."""

    def resize(depth, size, interpolation, antialias):
        assert (interpolation, antialias) == ("bicubic", False)
        return F.interpolate(depth[None], size, mode="bicubic", align_corners=False)[0]

    shim = SimpleNamespace(resize=resize, InterpolationMode=SimpleNamespace(BICUBIC="bicubic"))
    if importlib.util.find_spec("torchvision") is None:
        monkeypatch.setattr(zoe_module, "tvF", shim, raising=False)


def of_transformers(folder, photo):
    """The map that transformers' processor makes of its model's output."""
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForDepthEstimation.from_pretrained(folder).eval()
    inputs = processor(photo, return_tensors="pt", input_data_format="channels_last")
    with torch.inference_mode():
        output = model(**inputs)
    # As in transformers' pipeline: for ZoeDepth these are the source sizes, else the target sizes.
    return processor.post_process_depth_estimation(output, [photo.shape[:2]])[0]["predicted_depth"]


@pytest.mark.parametrize("name", PROCESSED)
def test_at_whole_pixels_the_answer_is_transformers_own_map(folders, name, torchvision_resize):
    for size in SIZES:
        photo = tiny_peers.make_photo(*size)
        expected = of_transformers(folders[name], photo).numpy()
        scene = spd.load(folders[name], device="cpu").encode(photo)
        v, u = np.mgrid[: size[0], : size[1]]
        got = scene.depth_at(np.stack([u.ravel(), v.ravel()], axis=1)).reshape(size)
        assert expected.std() > 0.01  # a flat map would fit any reading of it
        assert got.dtype == np.float32
        assert np.array_equal(got, expected)
        assert np.array_equal(scene.depth_map(), got)
        assert np.array_equal(scene.depth_map(fast=True), got)


@pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None,
    reason="Depth Pro's processor needs torchvision",
)
def test_depth_pro_is_as_transformers_own_processor_makes_it(folders):
    from transformers.models.depth_pro.image_processing_depth_pro import DepthProImageProcessor

    processor = DepthProImageProcessor.from_pretrained(folders["depth_pro"])
    model = AutoModelForDepthEstimation.from_pretrained(folders["depth_pro"]).eval()
    for size in SIZES:
        photo = tiny_peers.make_photo(*size)
        inputs = processor(photo, return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            output = model(**inputs)
        expected = processor.post_process_depth_estimation(output, [size])[0]
        scene = spd.load(folders["depth_pro"], device="cpu").encode(photo)
        # Its field of view and sums in another order: not bit by bit.
        np.testing.assert_allclose(scene.depth_map(), expected["predicted_depth"], rtol=1e-4)
        assert scene.assumed_focal_px == pytest.approx(float(expected["focal_length"]), rel=1e-4)


def test_depth_pros_metres_follow_the_focal_length(folders):
    photo = tiny_peers.make_photo(40, 50)
    predictor = spd.load(folders["depth_pro"], device="cpu")
    own = predictor.encode(photo)
    assert own.focal_px is None
    given = predictor.encode(photo, focal_px=2 * own.assumed_focal_px)
    assert given.assumed_focal_px is None
    np.testing.assert_allclose(given.depth_map(), 2 * own.depth_map(), rtol=1e-5)
    # By hand: the network's answer is inverse depth for a photo as wide as its focal length.
    model = AutoModelForDepthEstimation.from_pretrained(folders["depth_pro"]).eval()
    values = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 127.5 - 1
    values = F.interpolate(values, (64, 64), mode="bilinear", align_corners=False)
    with torch.inference_mode():
        canonical = model(pixel_values=values).predicted_depth[:, None]
    inverse = F.interpolate(canonical * 50 / 80, (40, 50), mode="bilinear", align_corners=False)
    by_hand = (1 / inverse.clamp(1e-4, 1e4))[0, 0]
    np.testing.assert_allclose(
        predictor.encode(photo, focal_px=80.0).depth_map(), by_hand, rtol=1e-4
    )


def test_a_depth_pro_that_predicts_no_field_of_view_needs_the_focal_length(tmp_path):
    tiny_peers.write_peer(tmp_path / "pro", *tiny_peers.depth_pro(use_fov_model=False))
    predictor = spd.load(tmp_path / "pro", device="cpu")
    with pytest.raises(
        InputError, match=r"metric depth needs the photo's focal length; pass focal_px"
    ):
        predictor.encode(tiny_peers.make_photo(20, 30))
    assert predictor.encode(tiny_peers.make_photo(20, 30), focal_px=30.0).depth_map().shape == (
        20,
        30,
    )


def test_padding_is_done_as_dpts_processor_does_it_and_undone(folders):
    photo = tiny_peers.make_photo(37, 53)
    # 37 = 42 - 5 rows: 2 above, 3 below; 53 = 56 - 3 columns: 1 left, 2 right.
    processor = AutoImageProcessor.from_pretrained(folders["dpt_on_dinov2"], backend="pil")
    values = processor(photo, return_tensors="pt", input_data_format="channels_last")
    prepared = open_processing(folders["dpt_on_dinov2"], "dpt").prepare(photo)
    assert values["pixel_values"].shape == (1, 3, 42, 56)
    assert torch.equal(prepared.pixel_values, values["pixel_values"])
    model = AutoModelForDepthEstimation.from_pretrained(folders["dpt_on_dinov2"]).eval()
    with torch.inference_mode():
        depth = model(**values).predicted_depth[:, None]
    padded = F.interpolate(depth, (42, 56), mode="bicubic", align_corners=False)[0, 0]
    got = spd.load(folders["dpt_on_dinov2"], device="cpu").encode(photo).depth_map()
    assert np.array_equal(got, padded[2:-3, 1:-2])


class Red(torch.nn.Module):
    """A network that answers each pixel's own red: its map must come back where it was."""

    def forward(self, pixel_values):
        return SimpleNamespace(predicted_depth=pixel_values[:, 0])


@pytest.mark.parametrize(
    ("model_type", "processor", "off_px"),
    [
        # A resized photo has whole grey values, a quarter of a pixel on this ramp, and bicubic
        # weights, whose magnitudes add up to 1.375, make at most 0.344 of that.
        ("depth_anything", tiny_peers.DPT_PROCESSOR, 0.35),
        ("dpt", tiny_peers.SQUARE_PROCESSOR, 0.35),
        ("dpt", tiny_peers.PADDED_PROCESSOR, 1e-3),  # never resized
        ("glpn", tiny_peers.GLPN_PROCESSOR, 0.35),
        # It is enlarged corner to corner and read back border to border: half a cell at the ends.
        ("zoedepth", tiny_peers.ZOE_PROCESSOR, 0.6),
    ],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_what_a_network_sees_at_a_pixel_is_answered_at_that_pixel(
    tmp_path, model_type, processor, off_px, axis
):
    size = (67, 90)
    at = np.indices(size)[axis]
    ramp = (2 * at).astype(np.uint8)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    config = PeerConfig(model_type, "metric", {})
    processing = open_processing(tmp_path, model_type)
    predictor = PeerPredictor(Red(), processing, config, torch.device("cpu"), "red")
    seen = predictor.encode(np.repeat(ramp[..., None], 3, axis=2)).depth_map()
    mean, deviation = (
        processor.get(f"image_{word}", [word == "std"])[0] for word in ("mean", "std")
    )
    place = (seen * deviation + mean) * (255 if processor["do_rescale"] else 1) / 2
    assert np.abs(place - at)[10:-10, 10:-10].max() < off_px


def test_between_pixels_the_map_is_blended_and_borders_are_repeated(folders):
    scene = spd.load(folders["dpt"], device="cpu").encode(tiny_peers.make_photo(20, 30))
    depth = scene.depth_map().astype(np.float64)
    asked = [(3.25, 7.5), (-0.5, 4), (29.5, 19.5)]
    between = 0.75 * (depth[7, 3] + depth[8, 3]) / 2 + 0.25 * (depth[7, 4] + depth[8, 4]) / 2
    np.testing.assert_allclose(
        scene.depth_at(asked), [between, depth[4, 0], depth[19, 29]], rtol=1e-6
    )
    with pytest.raises(PointError, match=r"point 1 is \(30, 3\), outside"):
        scene.depth_at([(3, 3), (30, 3)])
    assert np.isnan(scene.depth_at([(30, 3)], outside="nan")).all()


def test_a_map_given_away_is_a_copy(folders):
    scene = spd.load(folders["dpt"], device="cpu").encode(tiny_peers.make_photo(20, 30))
    first = scene.depth_at([(3, 3)])
    scene.depth_map()[:] = 0
    assert scene.depth_at([(3, 3)]) == first


def test_metric_answers_are_metres_and_do_not_follow_the_focal_length(folders, recwarn):
    photo = tiny_peers.make_photo(37, 53)
    predictor = spd.load(folders["metric_depth_anything"], device="cpu")
    unknown, known = predictor.encode(photo), predictor.encode(photo, focal_px=40.0)
    assert not recwarn.list  # nothing is assumed, so there is nothing to warn of
    assert np.array_equal(unknown.depth_map(), known.depth_map())
    with pytest.raises(InputError, match="the focal length of the photo, which is unknown"):
        unknown.range_at([(3, 4)])
    # 13 and 9 pixels from the middle (26, 18) at 40 px: sqrt(13^2 + 9^2 + 40^2) / 40
    ray = (13**2 + 9**2 + 40**2) ** 0.5 / 40
    assert known.range_at([(39, 9)]) == pytest.approx(known.depth_at([(39, 9)]) * ray)
    with pytest.raises(InputError, match="focal_px must be a positive"):
        predictor.encode(photo, focal_px=-1.0)


def test_max_depth_scales_the_metres(tmp_path):
    maps = []
    for max_depth in (10, 20):
        torch.manual_seed(0)
        built = tiny_peers.depth_anything(depth_estimation_type="metric", max_depth=max_depth)
        folder = tiny_peers.write_peer(tmp_path / str(max_depth), *built)
        maps.append(
            spd.load(folder, device="cpu").encode(tiny_peers.make_photo(30, 40)).depth_map()
        )
    np.testing.assert_allclose(maps[1], 2 * maps[0], rtol=1e-5, atol=1e-5)


def test_relative_answers_have_no_range(folders):
    predictor = spd.load(folders["depth_anything"], device="cpu")
    assert predictor.kind == "relative-disparity"
    scene = predictor.encode(tiny_peers.make_photo(20, 30), focal_px=30.0)
    with pytest.raises(InputError, match="predicts relative disparity, which has no scale"):
        scene.range_at([(3, 3)])


def test_the_tensors_that_may_be_missing_change_no_answer(folders):
    for name in ("dpt", "zoedepth", "depth_anything"):
        model = AutoModelForDepthEstimation.from_pretrained(folders[name]).eval()
        values = (
            torch.randn(1, 3, 64, 64) if name != "depth_anything" else torch.randn(1, 3, 70, 70)
        )
        with torch.inference_mode():
            before = model(pixel_values=values).predicted_depth
            unused = [weight for key, weight in model.named_parameters() if _UNUSED in key]
            assert unused
            for weight in unused:
                weight.fill_(7.0)
            assert torch.equal(model(pixel_values=values).predicted_depth, before)


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("glpn", (31, 90), r"cannot preprocess a 90x31 photo for glpn"),
        ("depth_anything", (1, 900), r"cannot preprocess a 900x1 photo for depth_any"),
        ("dpt_on_dinov2", (1400, 2000), r"resize the photo to 18\d\d pixels along its longer side"),
    ],
)
def test_photos_that_a_model_cannot_take_are_refused(folders, name, size, said):
    with pytest.raises(InputError, match=said):
        spd.load(folders[name], device="cpu").encode(picture(*size))
