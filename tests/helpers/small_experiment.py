"""The smallest trunk an experiment trains."""

SMALL = (
    "train.steps=3",
    "train.warmup_steps=1",
    "train.evaluate_every=3",
    "train.workers=0",
    "train.tracker=none",
    "model.encoder.hidden_size=24",
    "model.encoder.heads=2",
    "model.dim=16",
)
