"""Bodies of requests and answers, as the OpenAPI description shows them."""

from typing import Annotated, TypeVar

import pydantic

T = TypeVar("T")

Number = Annotated[float, pydantic.Strict()]  # no "1.5", no true
Point = tuple[Number, Number]
Count = Annotated[int, pydantic.Strict(), pydantic.Field(ge=1, le=2**31)]
Flag = Annotated[bool, pydantic.Strict()]
Listed = Annotated[list[T], pydantic.FailFast()]  # one error is reported, so no more are collected


class QueryBody(pydantic.BaseModel):
    """Base of all queries; unknown keys are refused, so that a typing mistake is noticed."""

    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class PointsQuery(QueryBody):
    """Points in the upright photo."""

    points: Listed[Point]
    """`[u, v]` = column and row in pixels; integers are pixel centres."""
    xyz: Flag = False
    """Whether to return 3D points as well; requires the focal length."""


class BoxesQuery(QueryBody):
    """Boxes in the upright photo."""

    boxes: Listed[tuple[Number, Number, Number, Number]]
    """`[x0, y0, x1, y1]` = left, top, right, bottom in pixels."""


class LinesQuery(QueryBody):
    """Polylines in the upright photo."""

    lines: Listed[Listed[Point]]
    """Each line is a list of at least two points `[u, v]`."""


class GridQuery(QueryBody):
    """A regular grid of points: the centres of equal cells that cover the whole photo."""

    columns: Count
    """Number of columns of cells."""
    rows: Count
    """Number of rows of cells."""
    xyz: Flag = False
    """Whether to return 3D points as well; requires the focal length."""


class DistancesQuery(QueryBody):
    """Pairs of points in the upright photo."""

    pairs: Listed[tuple[Point, Point]]
    """Each pair is two points `[u, v]`."""


class Answer(pydantic.BaseModel):
    """Base of all answers."""

    model_config = pydantic.ConfigDict(use_attribute_docstrings=True)


class ImageInfo(Answer):
    """Information about an uploaded photo."""

    id: str
    """Id of the photo, which is part of the path of every query."""
    width: int
    """Width of the upright photo in pixels."""
    height: int
    """Height of the upright photo in pixels."""
    focal_px: float | None
    """Focal length in pixels of the photo; null if it is unknown."""
    assumed_focal_px: float | None
    """Focal length assumed when computing depth, if the photo's own is unknown."""
    focal_source: str | None
    """Source of the focal length: given, fov, intrinsics, exif, assumed or predicted."""
    distortion: list[float] | None
    """Lens distortion coefficients k1, k2, p1, p2, k3, k4, k5, k6; null if none were given."""
    warnings: list[str]
    """Warnings about the accuracy of the depth."""
    seconds_left: float
    """Seconds until the photo expires; each query restarts this time."""


class PointsAnswer(Answer):
    """Depths in metres, in the order of the points; null where a value is not finite."""

    depth_m: list[float | None]
    """Depth along the optical axis (camera z)."""
    range_m: list[float | None] | None
    """Distance from the camera along the ray; null if the focal length is unknown."""
    xyz_m: list[list[float | None]] | None
    """3D points `[x, y, z]`: right, down and forward from the camera; null unless requested."""


class GridAnswer(PointsAnswer):
    """The centres of the grid's cells, row by row, and their depths in metres."""

    points: list[list[float]]
    """Centre `[u, v]` of each cell."""


class RegionAnswer(Answer):
    """Depth statistics of a region, as in `spd.scenes.RegionStatistics`.

    A statistic is null if no sampled point is valid.
    """

    count: int
    """Number of points sampled in the region."""
    valid_share: float
    """Share of these points that lie inside the photo and have a positive, finite depth."""
    p10_m: float | None
    p25_m: float | None
    median_m: float | None
    p75_m: float | None
    p90_m: float | None


class BoxesAnswer(Answer):
    """Statistics in the order of the boxes."""

    boxes: list[RegionAnswer]


class LineAnswer(RegionAnswer):
    """Depth statistics along a line, and its length."""

    length_m: float | None
    """3D length in metres, along straight segments; null if the focal length is unknown."""


class LinesAnswer(Answer):
    """Statistics in the order of the lines."""

    lines: list[LineAnswer]


class DistancesAnswer(Answer):
    """Distances in the order of the pairs."""

    distance_m: list[float | None]
    """Straight-line 3D distance in metres."""


class Limits(Answer):
    """Limits on each request and on the cache."""

    max_megabytes: float
    max_megapixels: float
    max_points: int
    max_boxes: int
    max_pairs: int
    keep_images: int
    keep_minutes: float
    request_seconds: float


class ModelInfo(Answer):
    """The model and the service's limits."""

    name: str
    version: str
    """Version of the package."""
    parameters: int | None
    """Number of network parameters; null for published models from other projects."""
    runtime: str
    precision: str
    limits: Limits


class Health(Answer):
    """Status of the service: `ok` while it accepts requests."""

    status: str


class ErrorText(Answer):
    """Code and message of the error."""

    kind: str
    """Machine-readable error code, one word."""
    message: str
    """Human-readable error message."""


class ErrorAnswer(Answer):
    """Body of every error response."""

    error: ErrorText
