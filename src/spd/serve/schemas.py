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
    """Points of the upright photo."""

    points: Listed[Point]
    """`[u, v]` = column and row in pixels; integers are pixel centres."""
    xyz: Flag = False
    """Also return 3D points; this needs the focal length."""


class BoxesQuery(QueryBody):
    """Boxes of the upright photo."""

    boxes: Listed[tuple[Number, Number, Number, Number]]
    """`[x0, y0, x1, y1]` = left, top, right, bottom in pixels."""


class LinesQuery(QueryBody):
    """Polylines of the upright photo."""

    lines: Listed[Listed[Point]]
    """At least two points `[u, v]` for each line."""


class GridQuery(QueryBody):
    """A regular grid of points: the centres of equal cells over the whole photo."""

    columns: Count
    """Cells across."""
    rows: Count
    """Cells down."""
    xyz: Flag = False
    """Also return 3D points; this needs the focal length."""


class DistancesQuery(QueryBody):
    """Pairs of points of the upright photo."""

    pairs: Listed[tuple[Point, Point]]
    """Two points `[u, v]` for each pair."""


class Answer(pydantic.BaseModel):
    """Base of all answers."""

    model_config = pydantic.ConfigDict(use_attribute_docstrings=True)


class ImageInfo(Answer):
    """A posted photo."""

    id: str
    """Id for queries."""
    width: int
    """Columns of the upright photo."""
    height: int
    """Rows of the upright photo."""
    focal_px: float | None
    """Focal length in the photo's pixels; null where it is not known."""
    assumed_focal_px: float | None
    """Focal length assumed for depth where it is not known."""
    focal_source: str | None
    """Source of the focal length: given, fov, intrinsics, exif, assumed or predicted."""
    distortion: list[float] | None
    """Lens distortion k1, k2, p1, p2, k3, k4, k5, k6; null where none was given."""
    warnings: list[str]
    """Warnings about the accuracy of the metres."""
    seconds_left: float
    """Seconds until the photo expires, if it is not queried."""


class PointsAnswer(Answer):
    """Metres, in the order of the points; null where the answer is not finite."""

    depth_m: list[float | None]
    """Depth along the optical axis (camera z)."""
    range_m: list[float | None] | None
    """Distance from the camera along the ray; null where the focal length is not known."""
    xyz_m: list[list[float | None]] | None
    """3D points (right, down, forward from the camera), if requested."""


class GridAnswer(PointsAnswer):
    """The cells' centres, row by row, and their metres."""

    points: list[list[float]]
    """`[u, v]` of each cell's centre."""


class RegionAnswer(Answer):
    """Depth statistics of a region (`spd.scenes.RegionStatistics`); null without valid points."""

    count: int
    """Points sampled in the region."""
    valid_share: float
    """Share of these points inside the photo with a positive, finite depth."""
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
    """Length in 3D, from each point straight to the next; null without a focal length."""


class LinesAnswer(Answer):
    """Statistics in the order of the lines."""

    lines: list[LineAnswer]


class DistancesAnswer(Answer):
    """Distances in the order of the pairs."""

    distance_m: list[float | None]
    """Straight distance in 3D."""


class Limits(Answer):
    """Limits of one request, and of the cache."""

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
    """Parameters of the network; null for a model of another project."""
    runtime: str
    precision: str
    limits: Limits


class Health(Answer):
    """`ok` while the service accepts requests."""

    status: str


class ErrorText(Answer):
    """Description of the error."""

    kind: str
    """One word for programs."""
    message: str
    """One sentence for people."""


class ErrorAnswer(Answer):
    """Body of every error answer."""

    error: ErrorText
