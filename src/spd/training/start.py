"""Initial weights of a new run: random, a pretrained encoder, or a whole SPD."""

from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.encoder_weights import load_encoder
from spd.checkpoints.folder import WEIGHTS, find_checkpoint
from spd.errors import CheckpointError, HubConnectionError
from spd.models.spd import SPD
from spd.recipes import Recipe, TrainConfig

SHAPE = ("encoder", "dim", "heads", "ffn_ratio", "head_width", "window")


def start_model(model: SPD, config: TrainConfig) -> str | None:
    """Initialise a model from `encoder_weights` or `start_from`; describe it in one line.

    From an SPD with another local path, only encoder, neck and global path are used; the local
    path stays random. The camera remains the run's own, so depth is learnt anew for it.

    Returns:
        The description; None for random weights.

    Raises:
        CheckpointError: if the source cannot be found or read, or has another shape; the model is
            then unchanged.
    """
    if config.encoder_weights is not None:
        return f"encoder: {load_encoder(model.encoder, config.encoder_weights)}"
    if config.start_from is None:
        return None
    folder = find_checkpoint(config.start_from)
    source, _ = load_checkpoint(folder)
    for name in SHAPE:
        theirs, ours = getattr(source.config, name), getattr(model.config, name)
        if theirs != ours:
            raise CheckpointError(
                f"cannot initialise from {folder / WEIGHTS}: it has {name} {theirs}, but the "
                f"configuration asks for {ours}; set model.{name} to match it, or set "
                "train.start_from=null"
            )
    if source.config.local_path == model.config.local_path:
        model.load_state_dict(source.state_dict())
        return f"all weights initialised from {config.start_from}"
    for part in ("encoder", "neck", "global_path"):
        getattr(model, part).load_state_dict(getattr(source, part).state_dict())
    return (
        f"encoder, neck and global path initialised from {config.start_from}; its local path is "
        f"{source.config.local_path}, so the local path {model.config.local_path} is randomly "
        "initialised"
    )


def planned_start(recipe: Recipe) -> str | None:
    """Describe the initial weights of a planned run; loads them as the run will.

    Raises:
        CheckpointError: as `start_model`, except that an unreachable hub is described.
    """
    config = recipe.train
    try:
        return start_model(SPD(recipe.model), config)
    except HubConnectionError:
        source = config.encoder_weights or config.start_from
        return (
            f"weights from {source}, which the run downloads from the hub; the hub cannot be "
            "reached now, so they are not checked"
        )
