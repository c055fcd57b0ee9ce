"""Optimiser, schedule and objective of the specification's section 7."""

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from spd.config import SILOG_LAMBDA, TrainConfig
from spd.losses import silog
from spd.models.spd import SPD


def make_optimizer(model: SPD, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with two groups, told apart by module: the encoder, and everything after it.

    Parameters that are frozen (DINOv2's mask token) are in neither.
    """
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    in_encoder = {id(p) for p in model.encoder.parameters()}
    decoder = [p for p in model.parameters() if p.requires_grad and id(p) not in in_encoder]
    return torch.optim.AdamW(
        [
            {"params": encoder, "lr": config.encoder_lr},
            {"params": decoder, "lr": config.decoder_lr},
        ],
        weight_decay=config.weight_decay,
    )


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig) -> LRScheduler:
    """Linear warm-up, then cosine to `final_lr`; step it once per optimiser step."""
    cosine = CosineAnnealingLR(
        optimizer, T_max=config.steps - config.warmup_steps, eta_min=config.final_lr
    )
    if not config.warmup_steps:
        return cosine
    warmup = LinearLR(optimizer, start_factor=config.warmup_start, total_iters=config.warmup_steps)
    return SequentialLR(optimizer, [warmup, cosine], milestones=[config.warmup_steps])


def objective(model: SPD, batch: dict[str, Tensor], config: TrainConfig) -> tuple[Tensor, int]:
    """The loss of one batch and the number of its images without a reading.

    `dense` is the specification's (7.1): the stride-4 map, resized, against depth at every pixel.
    `query` asks native readings through the sparse path, which is what inference does.
    """
    device_type = batch["image"].device.type
    with torch.autocast(device_type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        if config.objective == "dense":
            predicted_m = model(batch["image"]).flatten(1)
        else:
            predicted_m = model.query(model.encode(batch["image"]), batch["points"])
    if config.objective == "dense":
        truth_m, valid = batch["depth_m"].flatten(1), batch["valid"].flatten(1)
    else:
        truth_m, valid = batch["point_depth_m"], batch["point_valid"]
    return silog(predicted_m, truth_m, valid, SILOG_LAMBDA[config.silog])
