"""What a `config.json` says its numbers are, and what is refused before a weight is read."""

import json

import pytest

from spd.errors import CheckpointError, InputError
from spd.peers.kinds import read_peer
from spd.scenes.depth_kind import refuse_relative


def read(tmp_path, **config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    return read_peer(tmp_path)


DEPTH_ANYTHING = {"model_type": "depth_anything", "backbone_config": {"model_type": "dinov2"}}


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (DEPTH_ANYTHING, "relative-disparity"),  # version 1 does not say
        (DEPTH_ANYTHING | {"depth_estimation_type": "relative"}, "relative-disparity"),
        (DEPTH_ANYTHING | {"depth_estimation_type": "metric", "max_depth": 20}, "metric"),
        ({"model_type": "dpt"}, "relative-disparity"),
        ({"model_type": "dpt", "is_hybrid": True}, "relative-disparity"),
        ({"model_type": "dpt", "backbone_config": {"model_type": "beit"}}, "relative-disparity"),
        ({"model_type": "dpt", "backbone_config": {"model_type": "dinov2"}}, "metric"),
        ({"model_type": "dpt", "depth_estimation_type": "metric"}, "metric"),
        ({"model_type": "dpt", "depth_estimation_type": "relative-depth"}, "relative-depth"),
        ({"model_type": "glpn"}, "metric"),
        ({"model_type": "zoedepth"}, "metric"),
        ({"model_type": "depth_pro"}, "metric"),
    ],
)
def test_the_kind_is_what_the_family_is_documented_to_answer(tmp_path, config, kind):
    peer = read(tmp_path, **config)
    assert (peer.kind, peer.model_type, peer.config) == (kind, config["model_type"], config)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "dinov2"}, "a model of type dinov2 is not a supported depth model"),
        (
            {"model_type": "dpt", "architectures": ["DPTForSemanticSegmentation"]},
            r"type dpt \(DPTForSemanticSegmentation\) is not a supported depth model",
        ),
        (
            {"model_type": "prompt_depth_anything"},
            "ForDepthEstimation model of type depth_anything, depth_pro, dpt, glpn, zoe",
        ),
        (DEPTH_ANYTHING | {"depth_estimation_type": "metric"}, "a metric model needs max_depth"),
        (DEPTH_ANYTHING | {"max_depth": None}, "config.json: max_depth is null; expected a number"),
        (DEPTH_ANYTHING | {"max_depth": 0}, "max_depth is 0; expected a number above 0"),
        ({"model_type": "glpn", "depth_estimation_type": "feet"}, "is 'feet'; expected relative,"),
    ],
)
def test_other_models_are_refused_by_name(tmp_path, config, said):
    with pytest.raises(CheckpointError, match=said) as refused:
        read(tmp_path, **config)
    assert "\n" not in str(refused.value)
    assert str(tmp_path / "config.json") in str(refused.value)


def test_what_is_not_transformers_is_left_to_the_reader_of_our_own(tmp_path):
    assert read_peer(tmp_path) is None
    assert read(tmp_path, spd="v15.2", model={}, model_type="dpt") is None
    assert read(tmp_path, model={}) is None
    (tmp_path / "config.json").write_text("{")
    assert read_peer(tmp_path) is None


@pytest.mark.parametrize(
    ("kind", "protocol"),
    [("relative-depth", "native-lsq"), ("relative-disparity", "native-lsq-disparity")],
)
def test_a_relative_model_is_refused_with_the_alignment_that_would_fit_it(kind, protocol):
    with pytest.raises(InputError, match=rf"which has no scale.*--protocol {protocol}$"):
        refuse_relative(kind, "somebody/model")
    refuse_relative("metric", "somebody/model")
