"""The routes under /v1: they read, hand over to threads, and answer."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from spd.photos.focal import NARROWEST_FOV_DEG, WIDEST_FOV_DEG
from spd.serve import answers, photo, pictures
from spd.serve.bodies import check_json, is_form, most_bytes
from spd.serve.cache import Kept
from spd.serve.config import ServeConfig
from spd.serve.multipart import MASK, PHOTO, file_of
from spd.serve.schemas import (
    Asked,
    BoxesAnswer,
    BoxesAsked,
    DistancesAnswer,
    DistancesAsked,
    ErrorAnswer,
    GridAnswer,
    GridAsked,
    ImageInfo,
    LinesAnswer,
    LinesAsked,
    ModelInfo,
    PointsAnswer,
    PointsAsked,
    RegionAnswer,
)
from spd.serve.service import Service

T = TypeVar("T")

_JSON, _PNG, _BYTES = "application/json", "image/png", "application/octet-stream"
_WORDS = {
    400: "The photo, a point or a region cannot be",
    401: "The token is missing or another",
    404: "No such photo, or no more",
    408: "The body came too slowly",
    413: "Too many bytes, pixels or points",
    415: "Another content type is wanted",
    422: "The body or a parameter has another form",
    429: "Too many at a time; see Retry-After",
    503: "Shutting down, or it took too long; see Retry-After",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route beside those of all of them, for OpenAPI."""
    found = sorted({401, 429, 503, *statuses})
    return {status: {"model": ErrorAnswer, "description": _WORDS[status]} for status in found}


def _body(kind: type[Asked]) -> dict[str, Any]:
    """A body that is read and parsed in a thread, for OpenAPI."""
    schema = kind.model_json_schema()
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schema}}}}


_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _file_of(field: str) -> dict[str, Any]:
    """A body that is a file, or a form with one, for OpenAPI."""
    form = {"type": "object", "required": [field], "properties": {field: _BINARY["schema"]}}
    content = {"image/*": _BINARY, _BYTES: _BINARY, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


_ASKED = (400, 404, 408, 413, 415, 422)
_MOST_PX = 1e7  # beyond it no lens is, and float32 not far
_FocalPx = Annotated[
    float | None,
    Query(gt=0, le=_MOST_PX, description="Focal length in pixels of the upright photo."),
]
_FovDeg = Annotated[
    float | None,
    Query(
        ge=NARROWEST_FOV_DEG,
        le=WIDEST_FOV_DEG,
        description="Or field of view along the longer side.",
    ),
]
_Pinhole = Annotated[
    float | None,
    Query(ge=-_MOST_PX, le=_MOST_PX, description="Or the whole camera: fx, fy, cx, cy."),
]
_Distortion = Annotated[
    str | None,
    Query(
        max_length=400,
        description="With them the lens, as OpenCV has it: k1,k2,p1,p2, then k3, then k4,k5,k6.",
    ),
]


def routes_of(service: Service) -> APIRouter:
    """The routes of one service."""
    router = APIRouter(prefix="/v1")
    _add_images(router, service)
    _add_questions(router, service)
    _add_pictures(router, service)

    @router.get("/model", responses=errors(), summary="What answers, and its limits")
    async def model() -> ModelInfo:
        return service.model.describe(service.config)

    return router


def _add_images(router: APIRouter, service: Service) -> None:
    config, cache = service.config, service.cache

    @router.post(
        "/images",
        status_code=201,
        response_model=ImageInfo,
        responses=errors(400, 408, 413, 415, 422),
        openapi_extra=_file_of(PHOTO),
        summary="Post a photo",
    )
    async def post_image(
        request: Request,
        response: Response,
        focal_px: _FocalPx = None,
        fov_deg: _FovDeg = None,
        fx: _Pinhole = None,
        fy: _Pinhole = None,
        cx: _Pinhole = None,
        cy: _Pinhole = None,
        distortion: _Distortion = None,
    ) -> ImageInfo:
        camera = photo.Camera.of(focal_px, fov_deg, (fx, fy, cx, cy), distortion)
        async with _file_in(service, request, PHOTO) as data:
            ready = await service.work.read(
                photo.read, data, camera, service.model.predictor, config.max_pixels
            )
            scene = await service.work.encode(ready)
        image_id = cache.put(Kept(scene, ready.small, ready.warnings, camera.distortion))
        response.headers["location"] = f"/v1/images/{image_id}"
        return _info(service, image_id)

    @router.get("/images/{image_id}", responses=errors(404), summary="Look at a photo")
    async def get_image(image_id: str) -> ImageInfo:
        return _info(service, image_id)

    @router.delete(
        "/images/{image_id}", status_code=204, responses=errors(404), summary="Forget a photo"
    )
    async def delete_image(image_id: str) -> None:
        cache.remove(image_id)


@contextlib.asynccontextmanager
async def _file_in(service: Service, request: Request, field: str) -> AsyncIterator[bytes]:
    """The bytes of a file that a request carries, as it is or in a form; a block in time."""
    form = is_form(request, field)
    most = most_bytes(service.config.max_body_bytes, form=form)
    async with service.bodies.read(request, most) as body, service.work.in_time():
        data = bytes(body)
        if form:
            kind = request.headers["content-type"]
            data = await service.work.read(file_of, data, kind, field)
        yield data


def _info(service: Service, image_id: str) -> ImageInfo:
    kept, seconds_left = service.cache.look(image_id)
    scene = kept.scene
    return ImageInfo(
        id=image_id,
        width=scene.size[1],
        height=scene.size[0],
        focal_px=scene.focal_px,
        assumed_focal_px=scene.assumed_focal_px,
        focal_source=scene.focal_source,
        distortion=None if kept.distortion is None else list(dataclasses.astuple(kept.distortion)),
        warnings=list(kept.warnings),
        seconds_left=seconds_left,
    )


def _add_questions(router: APIRouter, service: Service) -> None:
    config = service.config

    async def answer(
        request: Request, image_id: str, function: Callable[[Kept, bytearray, ServeConfig], T]
    ) -> T:
        kept = service.cache.ask(image_id)
        check_json(request)
        most = config.max_json_bytes
        async with service.bodies.read(request, most) as body, service.work.in_time():
            return await service.work.ask(function, kept, body, config)

    @router.post(
        "/images/{image_id}/points",
        response_model=PointsAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_body(PointsAsked),
        summary="Ask points",
    )
    async def ask_points(request: Request, image_id: str) -> Response:
        text, count = await answer(request, image_id, answers.points)
        service.metrics.points.inc(count)
        return Response(text, media_type=_JSON)

    @router.post(
        "/images/{image_id}/grid",
        response_model=GridAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_body(GridAsked),
        summary="Ask a regular grid",
    )
    async def ask_grid(request: Request, image_id: str) -> Response:
        text, count = await answer(request, image_id, answers.grid_points)
        service.metrics.points.inc(count)
        return Response(text, media_type=_JSON)

    @router.post(
        "/images/{image_id}/boxes",
        response_model=BoxesAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_body(BoxesAsked),
        summary="Ask boxes",
    )
    async def ask_boxes(request: Request, image_id: str) -> Response:
        return Response(await answer(request, image_id, answers.boxes), media_type=_JSON)

    @router.post(
        "/images/{image_id}/lines",
        response_model=LinesAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_body(LinesAsked),
        summary="Ask lines",
    )
    async def ask_lines(request: Request, image_id: str) -> Response:
        return Response(await answer(request, image_id, answers.lines), media_type=_JSON)

    @router.post(
        "/images/{image_id}/mask",
        response_model=RegionAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_file_of(MASK),
        summary="Ask a mask",
    )
    async def ask_mask(request: Request, image_id: str) -> Response:
        kept = service.cache.ask(image_id)
        async with _file_in(service, request, MASK) as data:
            where = await service.work.read(photo.mask, data, config.max_pixels)
            text = await service.work.ask(answers.mask, kept, where)
        return Response(text, media_type=_JSON)

    @router.post(
        "/images/{image_id}/distances",
        response_model=DistancesAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_body(DistancesAsked),
        summary="Ask distances",
    )
    async def ask_distances(request: Request, image_id: str) -> Response:
        return Response(await answer(request, image_id, answers.distances), media_type=_JSON)


def _add_pictures(router: APIRouter, service: Service) -> None:
    async def drawn(
        image_id: str, media_type: str, function: Callable[..., bytes], *more: object
    ) -> Response:
        kept = service.cache.ask(image_id)
        async with service.work.in_time():
            data = await service.work.draw(function, kept, *more)
        return Response(data, media_type=media_type)

    def file(media_type: str) -> dict[int | str, dict[str, Any]]:
        content = {media_type: _BINARY}
        return {200: {"content": content, "description": "A file"}, **errors(400, 404, 422)}

    @router.get(
        "/images/{image_id}/depth.png",
        response_class=Response,
        responses=file(_PNG),
        summary="The depth map in 16-bit millimetres",
    )
    async def depth_png(image_id: str) -> Response:
        return await drawn(image_id, _PNG, pictures.depth_png)

    @router.get(
        "/images/{image_id}/depth.npy",
        response_class=Response,
        responses=file(_BYTES),
        summary="The depth map in float32 metres",
    )
    async def depth_npy(image_id: str) -> Response:
        return await drawn(image_id, _BYTES, pictures.depth_npy)

    @router.get(
        "/images/{image_id}/overlay.png",
        response_class=Response,
        responses=file(_PNG),
        summary="The photo beside its depth map, with points",
    )
    async def overlay_png(
        image_id: str,
        points: Annotated[list[str] | None, Query(description="u,v; repeatable.")] = None,
    ) -> Response:
        return await drawn(image_id, _PNG, pictures.overlay, points or [])
