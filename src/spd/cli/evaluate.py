"""What `spd evaluate` does; what can be refused at once is refused before torch is loaded."""

import dataclasses
from pathlib import Path

from spd.cli.early import check_sources
from spd.errors import ConfigError
from spd.evaluate import EvaluationReport, default_protocol, format_report, score_all
from spd.evaluation.floors import of_model, of_training_data
from spd.evaluation.predict import MapMode, Wanted, predict_set
from spd.evaluation.protocols import Protocol, View, protocols_named
from spd.evaluation.settings import EvaluationSettings
from spd.files import check_folder


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a user asks of an evaluation."""

    model: str
    data: tuple[str, ...]
    out: Path
    protocols: tuple[str, ...] = ()
    """Names; none: the data's default."""
    boundaries: MapMode | None = None
    training_data: tuple[str, ...] = ()
    """Sources whose median depth the constant floor says; may be none."""
    max_points: int | None = None
    view: View = "whole"
    device: str | None = None


def evaluate_model(asked: Asked) -> None:
    """Predict once, score under every protocol, and print a table of each."""
    named = protocols_named(asked.protocols)
    check_sources([*asked.data, *asked.training_data])
    check_folder(asked.out)
    from spd.data.sources import open_samples

    samples = open_samples(asked.data)
    default = default_protocol(samples)
    protocols = named or protocols_named([default])
    filled = [str(s.path) for s in samples.sources if s.options.depth == "filled"]
    check_raw(protocols, filled)
    from spd.cli.devices import choose_device
    from spd.predictors.loading import load

    predictor = load(asked.model, device=choose_device(asked.device))
    settings = EvaluationSettings.of(
        predictor,
        data=" ".join(asked.data),
        max_points=asked.max_points,
        view=asked.view,
        default_protocol=default,
    )
    wanted = Wanted.by(protocols, asked.boundaries)
    folder = predict_set(predictor, samples, asked.out, settings, wanted=wanted)
    constant = of_model(predictor)
    if asked.training_data:
        constant = of_training_data(
            open_samples(asked.training_data), " ".join(asked.training_data)
        )
    if constant is not None:
        constant.write(folder.floor_path)
    reports = score_all(
        asked.out,
        [protocol.name for protocol in protocols],
        boundaries=asked.boundaries is not None,
        open_sample=samples.named,
    )
    if folder.kept:
        print(
            f"kept the finished predictions of {folder.kept} of {len(samples)} images from before"
        )
    print_reports(reports, asked.out)


def check_raw(protocols: tuple[Protocol, ...], filled: list[str]) -> None:
    """Refuse to call painted-over depth raw.

    Raises:
        ConfigError: naming the source and the protocols that would apply.
    """
    for protocol in protocols:
        if filled and protocol.ground_truth == "raw":
            raise ConfigError(
                f"protocol {protocol.name} scores raw readings, and {filled[0]} is read with "
                "depth=filled; leave that out, or take a protocol native..."
            )


def print_reports(reports: tuple[EvaluationReport, ...], out: Path) -> None:
    """Every protocol's table, and where the files are."""
    print("\n".join(format_report(report) for report in reports))
    print(f"numbers, per-image table and pictures are in {out}")
