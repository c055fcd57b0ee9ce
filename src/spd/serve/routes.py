"""The routes under /v1: read the request, hand the work to threads, answer."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response

from spd.errors import shown
from spd.serve import answers, photo, pictures, schemas
from spd.serve.bodies import check_json, is_form, most_bytes
from spd.serve.cache import EncodedPhoto
from spd.serve.camera import CameraFields, names_camera, one_camera
from spd.serve.config import ServeConfig
from spd.serve.multipart import MASK, PHOTO, file_in_form
from spd.serve.refusals import bad_request
from spd.serve.schemas import ErrorAnswer, ImageInfo, ModelInfo, QueryBody, RegionAnswer
from spd.serve.service import Service

Route = TypeVar("Route", bound=Callable[..., Any])

_JSON, _PNG, _BYTES = "application/json", "image/png", "application/octet-stream"
_ERRORS = {
    400: "The photo, a point, a region or the camera is invalid, or a required camera is unknown",
    401: "The token is missing or invalid",
    403: "Another web page sent the request, or its Host is not a name of this service",
    404: "The photo is not in the cache",
    408: "The request body did not arrive in time",
    413: "Too many bytes, pixels or points, or too much memory or work",
    415: "Unsupported content type",
    422: "The body or a parameter does not match its schema",
    429: "Too many requests; see Retry-After",
    503: "The service is shutting down, has timed out or has run out of memory; see Retry-After",
}
_QUERY_ERRORS = (400, 404, 408, 413, 415, 422)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for a route's errors, with those of every route."""
    found = sorted({401, 403, 429, 503, *statuses})
    return {status: {"model": ErrorAnswer, "description": _ERRORS[status]} for status in found}


def _json_body(kind: type[QueryBody]) -> dict[str, Any]:
    """OpenAPI entry for a JSON body, which is read and parsed in a thread."""
    schema = kind.model_json_schema()
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schema}}}}


_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _file_body(field: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """OpenAPI entry for a body that is a file, or a form with one and with other fields."""
    properties = {field: _BINARY["schema"], **(fields or {})}
    form = {"type": "object", "required": [field], "properties": properties}
    content = {"image/*": _BINARY, _BYTES: _BINARY, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def routes_of(service: Service) -> APIRouter:
    """The routes of one service."""
    router = APIRouter(prefix="/v1")
    _add_images(router, service)
    _add_queries(router, service)
    _add_pictures(router, service)

    @router.get("/model", responses=errors(), summary="Get the model and the limits")
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
        openapi_extra=_file_body(PHOTO, CameraFields.model_json_schema()["properties"]),
        summary="Post a photo",
    )
    async def post_image(
        request: Request,
        response: Response,
        _: Annotated[CameraFields, Query()],
    ) -> ImageInfo:
        query = request.query_params.multi_items()
        one_camera(query, {})  # refuses what is wrong before the photo is read
        async with _file_in(service, request, PHOTO) as (data, fields):
            camera = one_camera(query, fields)
            ready = await service.work.read(
                photo.read, data, camera, service.model.predictor, config.max_pixels
            )
            scene = await service.work.encode(ready)
        image_id = cache.put(
            EncodedPhoto(scene, ready.preview, ready.item.warnings, camera.distortion)
        )
        prefix = request.scope.get("root_path", "")  # of a mounted application
        response.headers["location"] = f"{prefix}/v1/images/{image_id}"
        return _info(service, image_id)

    @router.get("/images/{image_id}", responses=errors(404), summary="Get information on a photo")
    async def get_image(image_id: str) -> ImageInfo:
        return _info(service, image_id)

    @router.delete(
        "/images/{image_id}", status_code=204, responses=errors(404), summary="Delete a photo"
    )
    async def delete_image(image_id: str) -> None:
        cache.remove(image_id)


@contextlib.asynccontextmanager
async def _file_in(
    service: Service, request: Request, field: str
) -> AsyncIterator[tuple[bytes, dict[str, str]]]:
    """The file in a request and the other fields of its form; the block has a time limit."""
    form = is_form(request, field)
    most = most_bytes(service.config.max_body_bytes, form=form)
    async with service.bodies.read(request, most) as body, service.work.in_time():
        data = bytes(body)
        body.clear()  # photos are large, and one copy is enough
        fields: dict[str, str] = {}
        if form:
            kind = request.headers["content-type"]
            data, fields = await service.work.read(file_in_form, data, kind, field)
        yield data, fields


def _info(service: Service, image_id: str) -> ImageInfo:
    found, seconds_left = service.cache.peek(image_id)
    scene, lens = found.scene, found.distortion
    return ImageInfo(
        id=image_id,
        width=scene.size[1],
        height=scene.size[0],
        focal_px=scene.focal_px,
        assumed_focal_px=scene.assumed_focal_px,
        focal_source=scene.focal_source,
        distortion=None if lens is None else list(dataclasses.astuple(lens)),
        warnings=list(found.warnings),
        seconds_left=seconds_left,
    )


def _add_queries(router: APIRouter, service: Service) -> None:
    def add(
        name: str,
        summary: str,
        query: type[QueryBody],
        answer: type[schemas.Answer],
        function: Callable[[EncodedPhoto, bytearray, ServeConfig], tuple[bytes, int]],
    ) -> None:
        @router.post(
            f"/images/{{image_id}}/{name}",
            name=f"ask_{name}",
            response_model=answer,
            responses=errors(*_QUERY_ERRORS),
            openapi_extra=_json_body(query),
            summary=summary,
        )
        async def ask(request: Request, image_id: str) -> Response:
            found, config = service.cache.use(image_id), service.config
            check_json(request)
            most = config.max_json_bytes
            async with service.bodies.read(request, most) as body, service.work.in_time():
                text, points = await service.work.ask(function, found, body, config)
            service.bodies.check_room(len(text))  # now that the request's own body is released
            service.metrics.points.inc(points)
            return Response(text, media_type=_JSON)

    add("points", "Query points", schemas.PointsQuery, schemas.PointsAnswer, answers.points)
    add("grid", "Query a regular grid", schemas.GridQuery, schemas.GridAnswer, answers.grid_points)
    add("boxes", "Query boxes", schemas.BoxesQuery, schemas.BoxesAnswer, answers.boxes)
    add("lines", "Query lines", schemas.LinesQuery, schemas.LinesAnswer, answers.lines)

    @router.post(
        "/images/{image_id}/mask",
        response_model=RegionAnswer,
        responses=errors(*_QUERY_ERRORS),
        openapi_extra=_file_body(MASK),
        summary="Query a mask",
    )
    async def ask_mask(request: Request, image_id: str) -> Response:
        found = service.cache.use(image_id)
        async with _file_in(service, request, MASK) as (data, fields):
            if misplaced := [name for name in fields if names_camera(name)]:
                raise bad_request(
                    f"the form has a field {shown(misplaced[0])}; the camera belongs to the photo, "
                    "so post it with POST /v1/images"
                )
            where = await service.work.read(photo.mask, data, service.config.max_pixels)
            text = await service.work.ask(answers.mask, found, where)
        return Response(text, media_type=_JSON)

    add(
        "distances",
        "Query distances",
        schemas.DistancesQuery,
        schemas.DistancesAnswer,
        answers.distances,
    )


def _add_pictures(router: APIRouter, service: Service) -> None:
    async def draw(
        image_id: str, media_type: str, function: Callable[..., pictures.File], *more: object
    ) -> Response:
        found = service.cache.use(image_id)
        async with service.work.in_time():
            service.bodies.check_room(1)
            data = await service.work.draw(function, found, *more)
        service.bodies.check_room(len(data))
        return Response(data, media_type=media_type)

    def get(name: str, media_type: str, summary: str) -> Callable[[Route], Route]:
        answer = {"content": {media_type: _BINARY}, "description": "A file"}
        return router.get(
            f"/images/{{image_id}}/{name}",
            response_class=Response,
            responses={200: answer, **errors(400, 404, 422)},
            summary=summary,
        )

    @get("depth.png", _PNG, "Get the depth map as a 16-bit PNG in millimetres")
    async def depth_png(image_id: str) -> Response:
        return await draw(image_id, _PNG, pictures.depth_png)

    @get("depth.npy", _BYTES, "Get the depth map as a .npy file (float32, in metres)")
    async def depth_npy(image_id: str) -> Response:
        return await draw(image_id, _BYTES, pictures.depth_npy)

    @get("overlay.png", _PNG, "Get a figure of the photo and its depth map with points marked")
    async def overlay_png(
        image_id: str,
        points: Annotated[
            list[str] | None,
            Query(description="Point u,v to mark; repeat the parameter for more points."),
        ] = None,
    ) -> Response:
        return await draw(image_id, _PNG, pictures.overlay, points or [])
