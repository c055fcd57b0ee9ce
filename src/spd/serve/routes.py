"""The routes under /v1: they read, hand over to threads, and answer."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from spd.focal import NARROWEST_FOV_DEG, WIDEST_FOV_DEG
from spd.scenes import PhotoScene
from spd.serve import answers, photo
from spd.serve.bodies import check_json, is_form, most_bytes
from spd.serve.cache import Kept
from spd.serve.config import ServeConfig
from spd.serve.multipart import FIELD, photo_of
from spd.serve.schemas import (
    Asked,
    BoxesAnswer,
    BoxesAsked,
    DistancesAnswer,
    DistancesAsked,
    ErrorAnswer,
    ImageInfo,
    ModelInfo,
    PointsAnswer,
    PointsAsked,
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
_PHOTO = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _BINARY,
            _BYTES: _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: _BINARY["schema"]},
                }
            },
        },
    }
}
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
        openapi_extra=_PHOTO,
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
    ) -> ImageInfo:
        camera = photo.Camera.of(focal_px, fov_deg, (fx, fy, cx, cy))
        form = is_form(request)
        most = most_bytes(config.max_body_bytes, form=form)
        async with service.bodies.read(request, most) as body, service.work.in_time():
            data = bytes(body)
            if form:
                data = await service.work.read(photo_of, data, request.headers["content-type"])
            ready = await service.work.read(
                photo.read, data, camera, service.model.predictor, config.max_pixels
            )
            scene = await service.work.encode(ready)
        image_id = cache.put(Kept(scene, ready.small, ready.warnings))
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
        warnings=list(kept.warnings),
        seconds_left=seconds_left,
    )


def _add_questions(router: APIRouter, service: Service) -> None:
    config = service.config

    async def answer(
        request: Request, image_id: str, function: Callable[[PhotoScene, bytearray, ServeConfig], T]
    ) -> T:
        scene = service.cache.ask(image_id).scene
        check_json(request)
        most = config.max_json_bytes
        async with service.bodies.read(request, most) as body, service.work.in_time():
            return await service.work.ask(function, scene, body, config)

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
        "/images/{image_id}/boxes",
        response_model=BoxesAnswer,
        responses=errors(*_ASKED),
        openapi_extra=_body(BoxesAsked),
        summary="Ask boxes",
    )
    async def ask_boxes(request: Request, image_id: str) -> Response:
        return Response(await answer(request, image_id, answers.boxes), media_type=_JSON)

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
        return await drawn(image_id, _PNG, answers.depth_png)

    @router.get(
        "/images/{image_id}/depth.npy",
        response_class=Response,
        responses=file(_BYTES),
        summary="The depth map in float32 metres",
    )
    async def depth_npy(image_id: str) -> Response:
        return await drawn(image_id, _BYTES, answers.depth_npy)

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
        return await drawn(image_id, _PNG, answers.overlay, points or [])
