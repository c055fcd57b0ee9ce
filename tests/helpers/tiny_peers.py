"""Published depth models in miniature: random weights, the true files of transformers."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.utils import logging

DINOV2 = {
    "model_type": "dinov2",
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "image_size": 42,
    "patch_size": 14,
    "out_indices": [1, 2, 3, 4],
    "reshape_hidden_states": False,
}
BEIT = {
    "model_type": "beit",
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 37,
    "image_size": 64,
    "patch_size": 16,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
    "reshape_hidden_states": False,
    "use_relative_position_bias": True,
}
SMALL_DINOV2 = {
    "model_type": "dinov2",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
NECK = {"neck_hidden_sizes": [8, 8, 12, 12], "fusion_hidden_size": 8}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
# What the published files say, with other sizes.
DPT_PROCESSOR = {
    "image_processor_type": "DPTImageProcessor",
    "do_resize": True, "do_rescale": True, "do_normalize": True, "do_pad": False,
    "size": {"height": 70, "width": 70}, "keep_aspect_ratio": True, "ensure_multiple_of": 14,
    "resample": 3, "rescale_factor": 1 / 255, "size_divisor": None, **IMAGENET,
}  # fmt: skip
PADDED_PROCESSOR = DPT_PROCESSOR | {
    "do_resize": False, "do_rescale": False, "do_pad": True, "size_divisor": 14,
    "image_mean": [123.675, 116.28, 103.53], "image_std": [58.395, 57.12, 57.375],
}  # fmt: skip
SQUARE_PROCESSOR = DPT_PROCESSOR | {
    "size": {"height": 64, "width": 64}, "keep_aspect_ratio": False, "ensure_multiple_of": 1,
    "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
}  # fmt: skip
ZOE_PROCESSOR = {
    "image_processor_type": "ZoeDepthImageProcessor",
    "do_pad": True, "do_resize": True, "do_rescale": True, "do_normalize": True,
    "size": {"height": 64, "width": 96}, "keep_aspect_ratio": True, "ensure_multiple_of": 32,
    "resample": 2, "rescale_factor": 1 / 255, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
}  # fmt: skip
GLPN_PROCESSOR = {
    "feature_extractor_type": "GLPNFeatureExtractor",
    "do_resize": True, "do_rescale": True, "size_divisor": 32, "resample": 2,
}  # fmt: skip
PRO_PROCESSOR = {
    "image_processor_type": "DepthProImageProcessorFast",
    "do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255,
    "size": {"height": 64, "width": 64}, "resample": 2, "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}  # fmt: skip


def depth_anything(**changes):
    config = transformers.DepthAnythingConfig(
        backbone_config=dict(DINOV2),
        reassemble_hidden_size=32,
        head_hidden_size=8,
        **NECK,
        **changes,
    )
    return transformers.DepthAnythingForDepthEstimation(config), DPT_PROCESSOR


def metric_depth_anything():
    return depth_anything(depth_estimation_type="metric", max_depth=20)


def dpt_on_dinov2():
    config = transformers.DPTConfig(backbone_config=dict(DINOV2), **NECK)
    return transformers.DPTForDepthEstimation(config), PADDED_PROCESSOR


def dpt():
    config = transformers.DPTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=37,
        image_size=64, backbone_out_indices=[0, 1, 2, 3], **NECK,
    )  # fmt: skip
    return transformers.DPTForDepthEstimation(config), SQUARE_PROCESSOR


def glpn():
    config = transformers.GLPNConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], decoder_hidden_size=8,
        num_attention_heads=[1, 1, 2, 2],
    )  # fmt: skip
    return transformers.GLPNForDepthEstimation(config), GLPN_PROCESSOR


def zoedepth():
    config = transformers.ZoeDepthConfig(
        backbone_config=dict(BEIT), bottleneck_features=8, num_relative_features=4,
        bin_embedding_dim=8, num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0}], **NECK,
    )  # fmt: skip
    return transformers.ZoeDepthForDepthEstimation(config), ZOE_PROCESSOR


def depth_pro(use_fov_model=True):
    config = transformers.DepthProConfig(
        patch_size=16, fusion_hidden_size=16, intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[10, 8], scaled_images_feature_dims=[5, 4, 3],
        image_model_config=dict(SMALL_DINOV2), patch_model_config=dict(SMALL_DINOV2),
        fov_model_config=dict(SMALL_DINOV2), use_fov_model=use_fov_model,
    )  # fmt: skip
    return transformers.DepthProForDepthEstimation(config), PRO_PROCESSOR


PEERS = {
    "depth_anything": depth_anything,
    "metric_depth_anything": metric_depth_anything,
    "dpt_on_dinov2": dpt_on_dinov2,
    "dpt": dpt,
    "glpn": glpn,
    "zoedepth": zoedepth,
    "depth_pro": depth_pro,
}


def write_peer(folder: Path, model, processor) -> Path:
    """A folder as `save_pretrained` leaves it, with weights that make maps which are not flat."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, (2 / weight[0].numel()) ** 0.5)
            elif name.endswith("head.4.bias") or name.endswith("head.conv3.bias"):
                weight.fill_(1.5)  # before a ReLU: the map is not zero everywhere
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # a test may look at what a command writes
    model.save_pretrained(folder)
    if bars:
        logging.enable_progress_bar()
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def make_photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
