"""An evaluation's folder as a report reads it: what it says of itself, and its readings.

The numbers of a page are those of `metrics.json` and `per_image.csv` and are not worked out again;
pictures and curves come from the stored predictions, under the first protocol of the folder.
"""

import csv
import dataclasses
import datetime
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spd.errors import DataError
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.protocols import Protocol, protocol_named

METRICS, PER_IMAGE = "metrics.json", "per_image.csv"


@dataclasses.dataclass(frozen=True, slots=True)
class Results:
    """One evaluation."""

    folder: PredictionFolder
    """Where it is."""
    metrics: Mapping[str, Any]
    """`metrics.json`: the first protocol's numbers, and what is said of all."""
    rows: tuple[Mapping[str, str], ...]
    """The first protocol's rows of `per_image.csv`, in the data set's order."""
    made: datetime.datetime
    """When the predictions were made: the date that is stored, else the time of `images.json`."""
    label: str
    """What it is called beside others."""

    @property
    def path(self) -> Path:
        """Of the folder."""
        return self.folder.path

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decided the predictions."""
        return self.metrics["settings"]

    @property
    def protocol(self) -> Protocol:
        """The first, whose pictures and curves are drawn."""
        return protocol_named(self.metrics["protocol_name"])

    @property
    def by_protocol(self) -> dict[str, Mapping[str, Any]]:
        """The numbers of each protocol, by its name, the first protocol first."""
        every = (self.metrics, *self.metrics.get("other_protocols", ()))
        return {numbers["protocol_name"]: numbers for numbers in every}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the images that the first protocol scored."""
        return tuple(row["name"] for row in self.rows)

    def per_image(self, key: str) -> dict[str, float]:
        """A number of every image, by name; those without it are left out."""
        return {row["name"]: float(row[key]) for row in self.rows if row.get(key)}


def read_results(path: Path) -> Results:
    """Read an evaluation's folder.

    Raises:
        DataError: if it was interrupted, has not been scored, or a file of it is damaged.
    """
    folder = PredictionFolder(path)
    folder.images()  # refuses what is not complete
    metrics = _read(path / METRICS, _metrics)
    rows = _read(path / PER_IMAGE, lambda text: _rows(text, metrics["protocol_name"]))
    if len(rows) != metrics["count"]:
        raise DataError(
            f"{path / PER_IMAGE} has {len(rows)} images and {METRICS} {metrics['count']}; score "
            f"them again (spd score {path})"
        )
    date = metrics["settings"].get("date")
    seconds = folder.images_path.stat().st_mtime
    return Results(
        folder=folder,
        metrics=metrics,
        rows=rows,
        made=datetime.datetime.fromisoformat(date)
        if date
        else datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC),
        label=short_name(metrics["settings"]["model"]) or path.name,
    )


def short_name(model: str) -> str:
    """The last word of a path or a hub id."""
    parts = [part for part in model.replace("\\", "/").split("/") if part not in ("", ".")]
    return parts[-1] if parts else ""


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "the predictions have not been scored"
        raise DataError(f"no {path}: {what}; run spd score {path.parent}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error):
        raise DataError(f"{path} is damaged; run spd score {path.parent}") from None


def _metrics(text: str) -> Mapping[str, Any]:
    metrics = json.loads(text)
    protocol_named(metrics["protocol_name"])
    # What every page needs; the rest is shown where it is there.
    _ = metrics["settings"]["model"], metrics["sparse"]["abs_rel"], metrics["dense"]["abs_rel"]
    datetime.datetime.fromisoformat(metrics["settings"].get("date") or "2000-01-01")
    int(metrics["count"]), int(metrics["points"]), str(metrics["protocol"])
    return metrics


def _rows(text: str, protocol: str) -> tuple[Mapping[str, str], ...]:
    every = csv.DictReader(io.StringIO(text, newline=""))
    rows = tuple(row for row in every if row["protocol"] == protocol)
    for row in rows:
        float(row["sparse_abs_rel"]), float(row["dense_abs_rel"])
    return rows
