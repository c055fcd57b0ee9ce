"""What an evaluation found under one protocol, and the files it goes to."""

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from spd.evaluation.boundaries import BoundaryMeans, mean_boundaries
from spd.evaluation.floors import Constant, Floors
from spd.evaluation.metrics.accuracy import DepthMetrics, mean_metrics, pooled
from spd.evaluation.near_edges import BandMeans, mean_bands
from spd.evaluation.protocols import Protocol
from spd.evaluation.scoring import ImageScore, ModeGap
from spd.evaluation.settings import EvaluationSettings
from spd.files import write_text


@dataclasses.dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The numbers of a data set under one protocol."""

    settings: EvaluationSettings
    """What decided the predictions."""
    protocol: Protocol
    """How they were compared."""
    images: tuple[ImageScore, ...]
    """Per image, in the data set's order."""
    sparse: DepthMetrics
    """Asked point by point: mean over images, or over all pixels where the protocol pools."""
    dense: DepthMetrics
    """Read off the dense map: likewise."""
    floors: Floors
    """What knowing nothing of the photos gets, likewise."""
    near_edges: tuple[BandMeans, ...]
    """Both modes by distance to the nearest true edge, nearest first."""
    gap: ModeGap
    """Means over images of means and medians; the largest of the largest."""
    boundaries: BoundaryMeans | None
    """Where whole maps are kept."""
    share_seen: float
    """Of all readings of the frames, how many the network saw: 1 but for crops."""
    skipped: dict[str, str]
    """Names of the samples that were not scored, each with the reason."""

    @classmethod
    def of(
        cls,
        settings: EvaluationSettings,
        protocol: Protocol,
        constant: Constant,
        images: Sequence[ImageScore],
        *,
        share_seen: float,
        skipped: Mapping[str, str],
    ) -> Self:
        """Average the images' numbers, at least one image's."""
        pools = protocol.averaging == "pooled pixels"

        def mean(column: str) -> DepthMetrics:
            if pools:
                return pooled([getattr(i.sums, column) for i in images]).metrics(protocol.silog)
            return mean_metrics([getattr(i, column) for i in images])

        return cls(
            settings=settings,
            protocol=protocol,
            images=tuple(images),
            sparse=mean("sparse"),
            dense=mean("dense"),
            floors=Floors(mean("constant"), mean("image_median"), constant),
            near_edges=mean_bands([image.near_edges for image in images], pooled=pools),
            gap=_mean_gap([image.gap for image in images]),
            boundaries=mean_boundaries([image.boundaries for image in images]),
            share_seen=share_seen,
            skipped=dict(skipped),
        )

    @property
    def words(self) -> str:
        """The protocol in one sentence, with what the network saw."""
        return self.protocol.words(self.settings.view, self.settings.config)

    @property
    def count(self) -> int:
        """Images scored."""
        return len(self.images)

    @property
    def points(self) -> int:
        """Pixels scored."""
        return sum(image.points for image in self.images)

    @property
    def non_finite(self) -> int:
        """Predictions of either mode that were NaN or infinite."""
        return sum(image.non_finite for image in self.images)

    @property
    def not_positive(self) -> int:
        """Predictions of either mode that were 0 or less."""
        return sum(image.not_positive for image in self.images)

    @property
    def read_at_nearest(self) -> int:
        """Images whose dense map was read at the nearest pixel."""
        return sum(not image.dense_is_exact for image in self.images)

    def ranked(self) -> tuple[ImageScore, ...]:
        """The images from best to worst by the sparse mode's AbsRel."""
        return tuple(sorted(self.images, key=lambda image: (image.sparse.abs_rel, image.name)))

    def to_dict(self) -> dict[str, Any]:
        """Plain data without the per-image rows and the settings of the predictions."""
        return {
            "protocol": self.words,
            "protocol_name": self.protocol.name,
            "protocol_settings": self.protocol.to_dict(),
            "view": self.settings.view,
            "count": self.count,
            "points": self.points,
            "share_of_readings_seen": self.share_seen,
            "sparse": self.sparse.to_dict(),
            "dense": self.dense.to_dict(),
            "floors": self.floors.to_dict(),
            "near_edges": [band.to_dict() for band in self.near_edges],
            "gap": dataclasses.asdict(self.gap),
            "boundaries": self.boundaries.to_dict() if self.boundaries is not None else None,
            "dense_read_at_nearest_pixel": self.read_at_nearest,
            "non_finite_predictions": self.non_finite,
            "not_positive_predictions": self.not_positive,
            "skipped": self.skipped,
        }


def metrics_of(reports: Sequence[EvaluationReport]) -> dict[str, Any]:
    """As written to `metrics.json`: the first protocol's numbers, then the others'."""
    first, *others = reports
    return {
        **first.to_dict(),
        "other_protocols": [report.to_dict() for report in others],
        "settings": dataclasses.asdict(first.settings),
    }


def write_reports(reports: Sequence[EvaluationReport], folder: Path) -> None:
    """Write `metrics.json`, and `per_image.csv` with one row a protocol and image."""
    text = json.dumps(metrics_of(reports), indent=1, allow_nan=False)
    write_text(folder / "metrics.json", text + "\n")
    rows = [
        {"protocol": report.protocol.name} | image.to_row()
        for report in reports
        for image in report.images
    ]
    columns = dict.fromkeys(key for row in rows for key in row)
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "per_image.csv", table.getvalue())


def _mean_gap(gaps: Sequence[ModeGap]) -> ModeGap:
    return ModeGap(
        mean_m=float(np.mean([gap.mean_m for gap in gaps])),
        median_m=float(np.mean([gap.median_m for gap in gaps])),
        max_m=max(gap.max_m for gap in gaps),
        mean_rel=float(np.mean([gap.mean_rel for gap in gaps])),
        median_rel=float(np.mean([gap.median_rel for gap in gaps])),
        max_rel=max(gap.max_rel for gap in gaps),
    )
