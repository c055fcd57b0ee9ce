"""The options of what asks one photo; the work is done elsewhere, imported when it is asked for."""

from pathlib import Path
from typing import Annotated, Any

import typer

from spd.cli.options import Device, FovDeg, Model, Precision, Runtime


def _question(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Questions, one kind a command")


def _camera(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="The photo's camera")


def _answer(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Answers")


def query(
    image: Annotated[Path, typer.Argument(help="Photo to ask.")],
    points: Annotated[
        list[str] | None,
        _question("--points", help="Points u,v (column,row); integers are pixel centres."),
    ] = None,
    points_file: Annotated[
        Path | None,
        _question("--points-file", help="CSV or parquet with columns u,v, or JSON of [u, v]."),
    ] = None,
    grid: Annotated[
        str | None, _question("--grid", help="Centres of COLUMNSxROWS fields, such as 8x6.")
    ] = None,
    boxes: Annotated[
        list[str] | None,
        _question("--box", help="Boxes x0,y0,x1,y1 (left,top,right,bottom): median, quantiles."),
    ] = None,
    masks: Annotated[
        list[Path] | None,
        _question("--mask", help="PNG as large as the photo, inside not black; repeatable."),
    ] = None,
    distance: Annotated[
        list[str] | None,
        _question("--distance", help="Pairs of points u,v u,v: metres between them in space."),
    ] = None,
    line: Annotated[
        list[str] | None,
        _question("--line", help="Points u,v u,v ... of a line: its depths, its length in space."),
    ] = None,
    focal_px: Annotated[
        float | None, _camera("--focal-px", help="Focal length of the photo in its own pixels.")
    ] = None,
    fov_deg: Annotated[
        float | None,
        _camera("--fov-deg", help="Or its field of view along the longer side, in degrees."),
    ] = None,
    intrinsics: Annotated[
        str | None, _camera("--intrinsics", help="Or fx,fy,cx,cy in pixels of the photo.")
    ] = None,
    distortion: Annotated[
        str | None,
        _camera("--distortion", help="OpenCV's k1,k2,p1,p2[,k3[,k4,k5,k6]], with --intrinsics."),
    ] = None,
    calibration: Annotated[
        Path | None, _camera("--calibration", help="Metres by what spd calibrate wrote.")
    ] = None,
    as_json: Annotated[bool, _answer("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, _answer("--csv", help="Print CSV.")] = False,
    out: Annotated[
        Path | None,
        _answer("--out", "-o", help="Write the answer instead; .csv, .json, .parquet choose."),
    ] = None,
    overlay: Annotated[
        Path | None,
        _answer("--overlay", help="Draw what was asked and the depth map to this PNG."),
    ] = None,
    maps: Annotated[
        list[Path] | None,
        _answer(
            "--map",
            help="Every pixel: depth.npy, depth.png (16-bit), cloud.ply, cloud.glb; repeatable.",
        ),
    ] = None,
    every_pixel: Annotated[
        bool,
        _answer(
            "--every-pixel", help="Ask each pixel of the map: sharper edges, minutes on a CPU."
        ),
    ] = False,
    edge_ratio: Annotated[
        float,
        _answer("--edge-ratio", help="Clouds leave out pixels beside a jump by this; inf: none."),
    ] = 1.05,
    png_unit: Annotated[
        float, _answer("--png-unit", help="Steps a metre of a PNG; 1000 is millimetres.")
    ] = 1000.0,
    model: Model = None,
    device: Device = None,
    runtime: Runtime = None,
    precision: Precision = None,
) -> None:
    """Ask metres at pixels, regions or lines of one photo, or of all of it.

    Example: `spd query photo.jpg --points 320,240 100.5,57 --model runs/rooms_tiny`
    """
    from spd.cli.query import Typed, Written, parse_camera, query_image
    from spd.predictors.model_options import ModelOptions

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    written = Written(
        form="json" if as_json else "csv" if as_csv else None,
        out=out,
        overlay=overlay,
        maps=tuple(maps or ()),
        every_pixel=every_pixel,
        edge_ratio=edge_ratio,
        png_unit=png_unit,
    )
    typed = Typed(
        points=points or (),
        points_file=points_file,
        grid=grid,
        boxes=boxes or (),
        masks=masks or (),
        distance=distance or (),
        line=line or (),
    )
    options = ModelOptions(
        model=model, device=device, runtime=runtime, precision=precision, calibration=calibration
    )
    camera = parse_camera(focal_px, fov_deg, intrinsics, distortion)
    query_image(image, typed, options, camera, written)


def calibrate(
    image: Annotated[Path, typer.Argument(help="Photo in which distances are known.")],
    known: Annotated[
        list[str] | None,
        typer.Option("--known", help="u,v,metres: a pixel and its distance from the camera."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file to write.")] = Path(
        "calibration.json"
    ),
    model: Model = None,
    focal_px: Annotated[
        float | None,
        typer.Option("--focal-px", help="Focal length of the photo in its own pixels."),
    ] = None,
    fov_deg: FovDeg = None,
    along_axis: Annotated[
        bool,
        typer.Option("--along-axis", help="The metres are depth, not distance from the camera."),
    ] = False,
    device: Device = None,
) -> None:
    """Fit one factor for metres to distances that were measured, and say whether one is enough.

    Example: `spd calibrate photo.jpg --known 320,240,2.5 100,57,3.1 500,400,1.8`
    """
    from spd.cli.calibrate import calibrate_photo

    calibrate_photo(
        image,
        known or [],
        out,
        model=model,
        focal_px=focal_px,
        fov_deg=fov_deg,
        along_axis=along_axis,
        device=device,
    )
