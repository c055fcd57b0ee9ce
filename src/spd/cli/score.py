"""What `spd score` does: no network, and without `--data` no torch."""

from collections.abc import Sequence
from pathlib import Path

from spd.cli.early import check_sources
from spd.cli.evaluate import print_reports
from spd.errors import DataError
from spd.evaluate import PICTURE, score_all
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.protocols import protocols_named


def score_folder(
    folder: Path, protocols: Sequence[str], data: Sequence[str], boundaries: bool | None
) -> None:
    """Score stored predictions anew, against the data they are of where that is given."""
    names = [protocol.name for protocol in protocols_named(protocols)]
    stored = PredictionFolder(folder)
    if boundaries:
        stored.images()  # another folder is refused as one
        _check_maps(stored)
    open_sample = None
    if data:
        check_sources(data)
        stored.images()  # refused before torch is loaded
        from spd.data.sources import open_samples
        from spd.evaluation.truth import check_truth

        samples = open_samples(data)
        check_truth(stored, samples, " ".join(data))
        open_sample = samples.named
    drawn = (folder / PICTURE).is_file()
    reports = score_all(folder, names, boundaries=boundaries, open_sample=open_sample)
    print_reports(reports, folder)
    if drawn and not (folder / PICTURE).is_file():
        print(f"removed {PICTURE}, which showed another protocol; with --data it is drawn anew")


def _check_maps(folder: PredictionFolder) -> None:
    if not folder.has_maps():
        raise DataError(
            f"{folder.path} holds no whole maps to measure boundaries of; spd evaluate ... "
            f"-o {folder.path} --boundaries adds them (where depth has the photo's resolution)"
        )
