"""What a new run's weights are before its first step: random, an encoder's, or a whole SPD's."""

from spd.checkpoints.checkpoint import WEIGHTS, find_checkpoint, load_checkpoint
from spd.checkpoints.encoder_weights import load_encoder
from spd.errors import CheckpointError
from spd.models.spd import SPD
from spd.recipes import TrainConfig

SHAPE = ("encoder", "dim", "heads", "ffn_ratio", "head_width", "window")


def start_model(model: SPD, config: TrainConfig) -> str | None:
    """Fill a new run's model as `start_from` or `encoder_weights` says, and say what was done.

    A whole SPD with another local path gives encoder, neck and global path; the local path then
    stays random. The camera is the run's own: metres are learnt anew for it.

    Raises:
        CheckpointError: if the source cannot be had or read, or is of another shape; the model is
            then as it was.
    """
    if config.encoder_weights is not None:
        return f"encoder: {load_encoder(model.encoder, config.encoder_weights)}"
    if config.start_from is None:
        return None
    folder = find_checkpoint(config.start_from)
    given, _ = load_checkpoint(folder)
    for name in SHAPE:
        theirs, ours = getattr(given.config, name), getattr(model.config, name)
        if theirs != ours:
            raise CheckpointError(
                f"{folder / WEIGHTS} cannot start this run: its {name} is {theirs}, the "
                f"configuration makes it {ours}; set model.{name} to its value, or "
                "train.start_from=null"
            )
    if given.config.local_path == model.config.local_path:
        model.load_state_dict(given.state_dict())
        return f"starts from all weights of {config.start_from}"
    for part in ("encoder", "neck", "global_path"):
        getattr(model, part).load_state_dict(getattr(given, part).state_dict())
    return (
        f"starts from encoder, neck and global path of {config.start_from}; its local path is "
        f"{given.config.local_path}, this one's, {model.config.local_path}, starts at random"
    )
