"""The result of an evaluation under one protocol, and the files it is written to."""

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from spd.evaluation.baselines import Baselines, ConstantDepth
from spd.evaluation.boundaries import BoundaryMeans, mean_boundaries
from spd.evaluation.metrics.accuracy import DepthMetrics, mean_metrics, pooled
from spd.evaluation.near_edges import BandMeans, mean_bands
from spd.evaluation.protocols import Protocol
from spd.evaluation.scoring import ImageScore, ModeGap
from spd.evaluation.settings import EvaluationSettings
from spd.files import write_text


@dataclasses.dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The metrics of a data set under one protocol."""

    settings: EvaluationSettings
    """The settings of the predictions."""
    protocol: Protocol
    """How they were scored."""
    images: tuple[ImageScore, ...]
    """Metrics per image, in the data set's order."""
    sparse: DepthMetrics
    """Point queries: mean over images, or over all pixels where the protocol pools."""
    dense: DepthMetrics
    """The dense map, averaged in the same way."""
    baselines: Baselines
    """Two predictors that see no photo, averaged in the same way."""
    near_edges: tuple[BandMeans, ...]
    """Modes and baselines by distance to the nearest true edge, nearest first."""
    gap: ModeGap
    """Means over images of their mean and median gap; the largest gap of all."""
    boundaries: BoundaryMeans | None
    """None where no whole maps are stored."""
    share_seen: float
    """Share of the frames' readings that the network saw; 1 except for crops."""
    skipped: dict[str, str]
    """Names of the samples that were not scored, with the reasons."""

    @classmethod
    def of(
        cls,
        settings: EvaluationSettings,
        protocol: Protocol,
        constant: ConstantDepth,
        images: Sequence[ImageScore],
        *,
        share_seen: float,
        skipped: Mapping[str, str],
    ) -> Self:
        """Average the metrics of at least one image."""
        pools = protocol.averaging == "pooled pixels"

        def mean(column: str) -> DepthMetrics:
            if pools:
                return pooled([i.means[column] for i in images]).metrics(protocol.silog)
            return mean_metrics([getattr(i, column) for i in images])

        return cls(
            settings=settings,
            protocol=protocol,
            images=tuple(images),
            sparse=mean("sparse"),
            dense=mean("dense"),
            baselines=Baselines(mean("constant"), mean("image_median"), constant),
            near_edges=mean_bands([image.near_edges for image in images], pooled=pools),
            gap=_mean_gap([image.gap for image in images]),
            boundaries=mean_boundaries([image.boundaries for image in images]),
            share_seen=share_seen,
            skipped=dict(skipped),
        )

    @property
    def words(self) -> str:
        """The protocol and the view in one sentence."""
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
        """Plain data, without the images and the settings."""
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
            "floors": self.baselines.to_dict(),
            "near_edges": [band.to_dict() for band in self.near_edges],
            "gap": dataclasses.asdict(self.gap),
            "boundaries": self.boundaries.to_dict() if self.boundaries is not None else None,
            "dense_read_at_nearest_pixel": self.read_at_nearest,
            "non_finite_predictions": self.non_finite,
            "not_positive_predictions": self.not_positive,
            "skipped": self.skipped,
        }


def metrics_of(reports: Sequence[EvaluationReport]) -> dict[str, Any]:
    """The content of `metrics.json`: the first protocol's metrics, then the others'."""
    first, *others = reports
    return {
        **first.to_dict(),
        "other_protocols": [report.to_dict() for report in others],
        "settings": dataclasses.asdict(first.settings),
    }


def write_reports(reports: Sequence[EvaluationReport], folder: Path) -> None:
    """Write `metrics.json`, and `per_image.csv` with one row per protocol and image."""
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
    columns = zip(*(dataclasses.astuple(gap) for gap in gaps), strict=True)
    names = [field.name for field in dataclasses.fields(ModeGap)]
    return ModeGap(
        *(
            max(values) if name.startswith("max") else float(np.mean(values))
            for name, values in zip(names, columns, strict=True)
        )
    )
