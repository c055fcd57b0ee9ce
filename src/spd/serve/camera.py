"""Camera of a posted photo, from the query parameters and the fields of a form alike."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Annotated

import pydantic

from spd.errors import InputError, listed, shown
from spd.photos.camera import CameraOptions
from spd.photos.camera_matrix import parse_intrinsics
from spd.photos.focal import NARROWEST_FOV_DEG, WIDEST_FOV_DEG
from spd.pixels import Intrinsics
from spd.scenes import Distortion
from spd.serve.refusals import bad_request, from_error

_LIKE_CAMERA = re.compile(
    r"foc|fov|f[xy]|c[xy]|distort|intrin|camera|matrix|lens|calib|field|angle|^[fk]\d?$",
    re.IGNORECASE,
)
_MOST_PX = 1e7  # longer than any lens, and far from the limits of float32
_Pinhole = Annotated[
    float | None,
    pydantic.Field(
        ge=-_MOST_PX,
        le=_MOST_PX,
        description="Pinhole camera instead of focal_px: fx, fy, cx and cy in pixels, all four.",
    ),
]


class CameraFields(pydantic.BaseModel):
    """Parameters that describe the camera; all may be left out."""

    focal_px: Annotated[
        float | None,
        pydantic.Field(
            gt=0, le=_MOST_PX, description="Focal length in pixels of the upright photo."
        ),
    ] = None
    fov_deg: Annotated[
        float | None,
        pydantic.Field(
            ge=NARROWEST_FOV_DEG,
            le=WIDEST_FOV_DEG,
            description="Field of view along the longer side, in degrees, instead of focal_px.",
        ),
    ] = None
    fx: _Pinhole = None
    fy: _Pinhole = None
    cx: _Pinhole = None
    cy: _Pinhole = None
    intrinsics: Annotated[
        str | None,
        pydantic.Field(
            max_length=400,
            description="Pinhole camera instead of fx, fy, cx and cy: these four numbers, or the "
            "9, 12 or 16 numbers of its 3x3, 3x4 or 4x4 matrix, row by row.",
        ),
    ] = None
    distortion: Annotated[
        str | None,
        pydantic.Field(
            max_length=400,
            description="Lens distortion coefficients in OpenCV's order: "
            "k1,k2,p1,p2[,k3[,k4,k5,k6]]. Requires fx, fy, cx and cy, or intrinsics.",
        ),
    ] = None


def names_camera(name: str) -> bool:
    """Whether a parameter or field is meant for the camera, rightly named or not."""
    return _LIKE_CAMERA.search(name) is not None


def one_camera(query: Iterable[tuple[str, str]], form: Mapping[str, str]) -> CameraOptions:
    """Camera options from a request's query parameters and the fields of its form.

    Raises:
        RefusalError: if a name is almost one of the camera's, such as `focal`, two values of one
            name differ, one of fx, fy, cx, cy is missing, or the camera is invalid.
    """
    known = list(CameraFields.model_fields)
    query = [(name, value) for name, value in query if names_camera(name)]
    form = {name: value for name, value in form.items() if value and names_camera(name)}
    given: dict[str, str] = {}
    for name, value in (*query, *form.items()):
        if name not in known:
            raise bad_request(
                f"unknown parameter or field {shown(name)}; expected {listed(known, len(known))}"
            )
        if given.setdefault(name, value) != value:
            raise bad_request(f"{name} is given twice, as {shown(given[name])} and {shown(value)}")
    try:
        fields = CameraFields.model_validate(given)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise bad_request(f"{first['loc'][0]}: {first['msg']}") from None
    return _options(fields)


def _options(fields: CameraFields) -> CameraOptions:
    pinhole = [one for one in (fields.fx, fields.fy, fields.cx, fields.cy) if one is not None]
    try:
        if len(pinhole) not in (0, 4):
            raise InputError(
                f"fx, fy, cx and cy must be given together, got only {len(pinhole)} of the four"
            )
        if pinhole and fields.intrinsics is not None:
            raise InputError("pass only one of intrinsics and fx, fy, cx, cy")
        matrix, lens = fields.intrinsics, fields.distortion
        pasted = None if matrix is None else parse_intrinsics(matrix, "intrinsics")
        camera = CameraOptions(
            focal_px=fields.focal_px,
            fov_deg=fields.fov_deg,
            intrinsics=Intrinsics(*pinhole) if pinhole else pasted,
            distortion=None if lens is None else Distortion.parse(lens),
        )
        if camera.intrinsics and max(map(abs, dataclasses.astuple(camera.intrinsics))) > _MOST_PX:
            raise InputError(f"intrinsics must be at most {_MOST_PX:g} pixels, got {matrix}")
        return camera
    except InputError as error:
        raise from_error(error, "bad_camera") from None
