"""What `spd calibrate` does: what can be refused at once first, then one photo and its factor."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from spd.errors import PointError
from spd.files import check_writable
from spd.photos.camera import CameraOptions
from spd.photos.reading import read_photo
from spd.pixels import as_points, check_inside
from spd.predictors.model_options import ModelOptions
from spd.scenes.calibration import Calibration, calibrate


def calibrate_photo(
    image: Path,
    known: Sequence[str],
    out: Path,
    *,
    model: str | None,
    focal_px: float | None,
    fov_deg: float | None,
    along_axis: bool,
    device: str | None,
) -> Calibration:
    """Fit a factor to known distances in one photo, say whether it fits, and keep it."""
    asked = [parse_known(text) for text in known]
    if not asked:
        raise PointError("no known distances; name some with --known 320,240,2.5 100,57,3.1")
    check_writable(out, ".json")
    with warnings.catch_warnings():  # of Pillow, about metadata; what matters is an error
        warnings.simplefilter("ignore")
        photo = read_photo(image)
    points = [(u, v) for u, v, _ in asked]
    check_inside(as_points(points), photo.size)
    located = ModelOptions(model=model, device=device).locate()
    located.refuse_relative()
    predictor = located.load()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scene = predictor.encode_photo(photo, CameraOptions(focal_px=focal_px, fov_deg=fov_deg))
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    fitted = calibrate(
        scene,
        points,
        [metres for _, _, metres in asked],
        model=predictor.source,
        along_axis=along_axis,
    )
    fitted.write(out)
    print(fitted.verdict())
    print(f"the calibration is in {out}; apply it with: spd query --calibration {out}")
    return fitted


def parse_known(text: str) -> tuple[float, float, float]:
    """`u,v,metres` as three numbers."""
    try:
        u, v, metres = (float(part) for part in text.split(","))
    except ValueError:
        raise PointError(
            f"known distance {text!r} is not u,v,metres with three numbers, such as 320,240,2.5"
        ) from None
    return u, v, metres
