"""A stored evaluation as a report reads it.

The numbers of a page are those of `metrics.json` and `per_image.csv` and are never computed again;
pictures and curves come from the stored predictions, under the first protocol of the folder.
"""

import csv
import dataclasses
import datetime
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from spd.errors import DataError
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M
from spd.evaluation.protocols import Protocol, protocol_named
from spd.files import LISTED_BYTES, parse_json, read_text, storable

METRICS, PER_IMAGE = "metrics.json", "per_image.csv"


@dataclasses.dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """The metrics of one evaluation."""

    folder: PredictionFolder
    metrics: Mapping[str, Any]
    """The content of `metrics.json`: the first protocol's metrics, then the others'."""
    rows: tuple[Mapping[str, str], ...]
    """The first protocol's rows of `per_image.csv`, in the data set's order."""
    made: datetime.datetime
    """Time of the predictions: the stored date, else that of the file `images.json`."""
    label: str
    """Its name beside other evaluations."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an evaluation's folder.

        Raises:
            DataError: if it was interrupted, was not scored, or one of its files is damaged.
        """
        folder = PredictionFolder(path)
        # Refuses incomplete predictions; a table has only escapes of names that are not UTF-8.
        names = {storable(name): name for name in folder.images()[0]}
        metrics = _read(path / METRICS, _metrics)
        rows = _read(path / PER_IMAGE, lambda text: _rows(text, metrics["protocol_name"]))
        rows = tuple({**row, "name": names.get(row["name"], row["name"])} for row in rows)
        if len(rows) != metrics["count"]:
            raise DataError(
                f"{path / PER_IMAGE} has {len(rows)} images but {METRICS} has {metrics['count']}; "
                f"score the folder again (spd score {path})"
            )
        date = metrics["settings"].get("date")
        seconds = folder.images_path.stat().st_mtime
        return cls(
            folder=folder,
            metrics=metrics,
            rows=rows,
            made=datetime.datetime.fromisoformat(date)
            if date
            else datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC),
            label=short_name(metrics["settings"]["model"]) or path.name,
        )

    @property
    def path(self) -> Path:
        """Path of the folder."""
        return self.folder.path

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the predictions."""
        return self.metrics["settings"]

    @property
    def protocol(self) -> Protocol:
        """The first protocol, whose pictures and curves are drawn."""
        return protocol_named(self.metrics["protocol_name"]).capped(_cap_of(self.metrics))

    @property
    def by_protocol(self) -> dict[str, Mapping[str, Any]]:
        """The metrics of each protocol by its name, in order."""
        every = (self.metrics, *self.metrics.get("other_protocols", ()))
        return {numbers["protocol_name"]: numbers for numbers in every}

    @property
    def names(self) -> tuple[str, ...]:
        """The images that the first protocol scored."""
        return tuple(row["name"] for row in self.rows)

    def per_image(self, key: str) -> dict[str, float]:
        """A metric of every image by name, without the images that have none."""
        return {row["name"]: float(row[key]) for row in self.rows if row.get(key)}


def short_name(model: str) -> str:
    """The last component of a path or a hub id."""
    parts = [part for part in model.replace("\\", "/").split("/") if part not in ("", ".")]
    return parts[-1] if parts else ""


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(read_text(path, LISTED_BYTES))
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: the predictions were not scored; run spd score {path.parent}"
        ) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, csv.Error):
        raise DataError(f"{path} is damaged; run spd score {path.parent}") from None


def _metrics(text: str) -> Mapping[str, Any]:
    metrics: Mapping[str, Any] = parse_json(text)
    protocol_named(metrics["protocol_name"])
    _cap_of(metrics)
    # Every page needs these; other entries are optional.
    _ = metrics["settings"]["model"], metrics["sparse"]["abs_rel"], metrics["dense"]["abs_rel"]
    datetime.datetime.fromisoformat(metrics["settings"].get("date") or "2000-01-01")
    int(metrics["count"]), int(metrics["points"]), str(metrics["protocol"])
    return metrics


def _cap_of(metrics: Mapping[str, Any]) -> float:
    """The largest depth that was scored, in metres."""
    return float(metrics.get("protocol_settings", {}).get("max_m", MAX_DEPTH_M))


def _rows(text: str, protocol: str) -> tuple[Mapping[str, str], ...]:
    every = csv.DictReader(io.StringIO(text, newline=""))
    rows = tuple(row for row in every if row["protocol"] == protocol)
    for row in rows:
        float(row["sparse_abs_rel"]), float(row["dense_abs_rel"])
    return rows
