"""What is sent and what is answered, as the OpenAPI page shows it."""

from typing import Annotated, TypeVar

import pydantic

T = TypeVar("T")

Number = Annotated[float, pydantic.Strict()]  # no "1.5", no true
Point = tuple[Number, Number]
Count = Annotated[int, pydantic.Strict(), pydantic.Field(ge=1, le=2**31)]
Listed = Annotated[list[T], pydantic.FailFast()]  # one error is answered, so no more are collected


class Asked(pydantic.BaseModel):
    """A question; unknown keys are refused, so that a mistyped one does not go unnoticed."""

    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class PointsAsked(Asked):
    """Points of the upright photo."""

    points: Listed[Point]
    """`[u, v]` = column and row in pixels; integers are pixel centres."""
    xyz: Annotated[bool, pydantic.Strict()] = False
    """Whether places in space are wanted too; that needs the focal length."""


class BoxesAsked(Asked):
    """Boxes of the upright photo."""

    boxes: Listed[tuple[Number, Number, Number, Number]]
    """`[x0, y0, x1, y1]` = left, top, right, bottom in pixels."""


class LinesAsked(Asked):
    """Polylines of the upright photo."""

    lines: Listed[Listed[Point]]
    """Two `[u, v]` or more each."""


class GridAsked(Asked):
    """The centres of equal fields over the whole photo."""

    columns: Count
    """Fields across."""
    rows: Count
    """Fields down."""
    xyz: Annotated[bool, pydantic.Strict()] = False
    """As with points."""


class DistancesAsked(Asked):
    """Pairs of points of the upright photo."""

    pairs: Listed[tuple[Point, Point]]
    """Two `[u, v]` each."""


class Answer(pydantic.BaseModel):
    """Base of all answers."""

    model_config = pydantic.ConfigDict(use_attribute_docstrings=True)


class ImageInfo(Answer):
    """A photo that was posted."""

    id: str
    """What to ask it by."""
    width: int
    """Columns of the upright photo."""
    height: int
    """Rows of the upright photo."""
    focal_px: float | None
    """Focal length in the photo's pixels; null where it is not known."""
    assumed_focal_px: float | None
    """What metres rest on where it is not known."""
    focal_source: str | None
    """Who said it: given, fov, intrinsics, exif, assumed or predicted."""
    distortion: list[float] | None
    """Of the lens, k1, k2, p1, p2, k3, k4, k5, k6; null where none was given."""
    warnings: list[str]
    """What to know about the metres."""
    seconds_left: float
    """Until the photo is forgotten, if nothing is asked."""


class PointsAnswer(Answer):
    """Metres, in the order of the points; null where there is no finite answer."""

    depth_m: list[float | None]
    """Along the optical axis (camera z)."""
    range_m: list[float | None] | None
    """Along the ray; null where the focal length is not known."""
    xyz_m: list[list[float | None]] | None
    """Right, down, forward from the camera; where asked."""


class GridAnswer(PointsAnswer):
    """The centres, row by row, and what points are answered."""

    points: list[list[float]]
    """`[u, v]` of each."""


class RegionAnswer(Answer):
    """Depth over a region (`spd.scenes.RegionStatistics`); null where nothing is valid."""

    count: int
    """Points asked."""
    valid_share: float
    """Share of them inside the photo with a positive, finite depth."""
    p10_m: float | None
    p25_m: float | None
    median_m: float | None
    p75_m: float | None
    p90_m: float | None


class BoxesAnswer(Answer):
    """In the order of the boxes."""

    boxes: list[RegionAnswer]


class LineAnswer(RegionAnswer):
    """What a line runs over, and how long it is."""

    length_m: float | None
    """From each of its points straight to the next, in space; null without a focal length."""


class LinesAnswer(Answer):
    """In the order of the lines."""

    lines: list[LineAnswer]


class DistancesAnswer(Answer):
    """In the order of the pairs."""

    distance_m: list[float | None]
    """Straight through space."""


class Limits(Answer):
    """What one request may have."""

    max_megabytes: float
    max_megapixels: float
    max_points: int
    max_boxes: int
    max_pairs: int
    keep_images: int
    keep_minutes: float
    request_seconds: float


class ModelInfo(Answer):
    """What answers."""

    name: str
    version: str
    """Of the package."""
    parameters: int | None
    """Of the network; null where it is not ours."""
    runtime: str
    precision: str
    limits: Limits


class Health(Answer):
    """`ok`."""

    status: str


class ErrorText(Answer):
    """What went wrong."""

    kind: str
    """One word for programs."""
    message: str
    """One sentence for people."""


class ErrorAnswer(Answer):
    """Every answer that is an error."""

    error: ErrorText
