"""`spd query`: depth at points, regions and lines of one photo, or of the whole photo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spd.cli.guard import Writes
from spd.cli.options import (
    DEFAULT_INPUT_MEGAPIXELS,
    DEFAULT_MEGAPIXELS,
    Device,
    FocalPx,
    FovDeg,
    MaxInputMegapixels,
    MaxMegapixels,
    Memory,
    Model,
    Precision,
    Runtime,
    Threads,
)

if TYPE_CHECKING:  # imported when the command runs, so that `spd --help` stays quick
    from spd.cli.outputs import OutputOptions
    from spd.cli.questions import Question
    from spd.photos.camera import CameraOptions
    from spd.predictors.model_options import ModelOptions


def _question(*names: str, help: str, metavar: str | None = None) -> Any:
    panel = "Questions: one type per command"
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel)


def _camera(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Camera of the photo")


def _output(*names: str, help: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Output")


def query(
    image: Annotated[Path, typer.Argument(help="Photo to query; - is standard input.")],
    points: Annotated[
        list[str] | None,
        _question(
            "--points",
            metavar="U,V ...",
            help="Depth at points (column,row) in pixels; integers are pixel centres.",
        ),
    ] = None,
    points_file: Annotated[
        Path | None,
        _question(
            "--points-file",
            help="File, pipe or - (standard input) of points: CSV, JSON or Parquet.",
        ),
    ] = None,
    grid: Annotated[
        str | None,
        _question("--grid", help="Depth at the cell centres of a COLUMNSxROWS grid, such as 8x6."),
    ] = None,
    boxes: Annotated[
        list[str] | None,
        _question(
            "--box",
            metavar="X0,Y0,X1,Y1 ...",
            help="Depth median and quantiles in boxes (left,top,right,bottom).",
        ),
    ] = None,
    masks: Annotated[
        list[Path] | None,
        _question("--mask", help="Depth quantiles in PNG masks (photo's size, black outside)."),
    ] = None,
    distance: Annotated[
        list[str] | None,
        _question(
            "--distance", metavar="U,V ...", help="3D distance in metres between pairs of points."
        ),
    ] = None,
    line: Annotated[
        list[str] | None,
        _question(
            "--line",
            metavar="U,V ...",
            help="Depth quantiles along a polyline, and its 3D length in metres.",
        ),
    ] = None,
    focal_px: FocalPx = None,
    fov_deg: FovDeg = None,
    intrinsics: Annotated[
        str | None,
        _camera("--intrinsics", help="fx,fy,cx,cy in pixels of the photo, in place of --focal-px."),
    ] = None,
    distortion: Annotated[
        str | None,
        _camera(
            "--distortion", help="OpenCV's k1,k2,p1,p2[,k3[,k4,k5,k6]]; requires --intrinsics."
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        _camera("--calibration", help="Scale depth with a calibration file from spd calibrate."),
    ] = None,
    as_json: Annotated[bool, _output("--json", help="Print the table as JSON.")] = False,
    as_csv: Annotated[bool, _output("--csv", help="Print the table as CSV.")] = False,
    out: Annotated[
        Path | None,
        _output(
            "--out",
            "-o",
            help="Write the table to a .csv, .json or .parquet file instead of printing it.",
        ),
        Writes(),
    ] = None,
    overlay: Annotated[
        Path | None,
        _output("--overlay", help="Write a PNG that shows the depth map and the answers."),
        Writes(),
    ] = None,
    maps: Annotated[
        list[Path] | None,
        _output(
            "--map",
            help="Write the depth of every pixel to this file: a map (.npy, 16-bit .png) or "
            "a point cloud (.ply, .glb). Repeatable.",
        ),
        Writes(),
    ] = None,
    every_pixel: Annotated[
        bool,
        _output(
            "--every-pixel", help="Query every pixel for the map (sharper edges; takes minutes)."
        ),
    ] = False,
    edge_ratio: Annotated[
        float,
        _output("--edge-ratio", help="Drop point-cloud points at depth jumps above this ratio."),
    ] = 1.05,
    png_unit: Annotated[
        float,
        _output("--png-unit", help="Units per metre in 16-bit PNG maps; 1000 stores millimetres."),
    ] = 1000.0,
    model: Model = None,
    device: Device = None,
    runtime: Runtime = None,
    precision: Precision = None,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    max_input_megapixels: MaxInputMegapixels = DEFAULT_INPUT_MEGAPIXELS,
    threads: Threads = None,
    memory: Memory = None,
) -> None:
    """Query depth in metres at points, regions or lines of a photo, or at every pixel.

    Example: `spd query photo.jpg --points 320,240 100.5,57 --model runs/rooms_tiny`
    """
    from spd.cli.outputs import OutputOptions
    from spd.cli.photo import parse_camera
    from spd.cli.questions import QueryOptions
    from spd.files import is_stdin
    from spd.memory import limit_this_process
    from spd.photos.limits import PhotoLimits
    from spd.predictors.model_options import ModelOptions
    from spd.processes import use_threads

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv cannot be combined")
    if points_file is not None and is_stdin(image) and is_stdin(points_file):
        raise typer.BadParameter("the photo and the points cannot both be standard input")
    outputs = OutputOptions(
        form="json" if as_json else "csv" if as_csv else None,
        out=out,
        overlay=overlay,
        maps=tuple(maps or ()),
        every_pixel=every_pixel,
        edge_ratio=edge_ratio,
        png_unit=png_unit,
    )
    options = QueryOptions(
        points=points or (),
        points_file=points_file,
        grid=grid,
        boxes=boxes or (),
        masks=masks or (),
        distance=distance or (),
        line=line or (),
    )
    loaded = ModelOptions(
        model=model,
        device=device,
        runtime=runtime,
        precision=precision,
        calibration=calibration,
        limits=PhotoLimits.of(max_megapixels, max_input_megapixels),
    )
    use_threads(threads)
    limit_this_process(memory)
    camera = parse_camera(focal_px, fov_deg, intrinsics, distortion)
    query_photo(image, options.question(), loaded, camera, outputs)


def query_photo(
    image: Path,
    question: "Question | None",
    model: "ModelOptions",
    camera: "CameraOptions",
    outputs: "OutputOptions",
) -> None:
    """Query one photo and print, write or draw the answer; errors come before the model loads.

    Depths of the shipped model take this path, and are computed in `models/kernel/query.c`:

        query_photo       this file
        depth_at          scenes/scene.py               checks the points
        _ask              runtimes/export_predictor.py  points in pixels of the network's input;
                                                        the answer times the plan's `depth_factor`
        query             runtimes/kernel_engine.py     weights and feature maps of the export
        ask               models/kernel/ask.py          shares the points among threads
        spd_query         models/kernel/query.c

    `encode` computes the maps before. `with_kernel` (`runtimes/kernel_engine.py`) uses the export's
    own query graph where there is no C compiler. `ModelOptions.locate` chooses `SPD.query` on a GPU
    or with `--runtime torch`. A calibration multiplies again (`scenes/calibration.py`).

    Raises:
        SPDError: on the first wrong input.
    """
    import numpy as np

    from spd.cli.photo import check_camera, encode, note, read_file
    from spd.errors import PointError

    if question is None and (outputs.out is not None or not outputs.of_the_whole_photo):
        raise PointError(
            "no points given; pass some with --points 320,240 100.5,57 or --points-file, or use "
            "--box, --mask, --grid, --distance or --line"
        )
    outputs.check()
    photo = read_file(image, model.limits.max_pixels)
    parts = [] if question is None else question.points(photo.size)
    needs_camera = None if question is None else question.needs_camera_for
    check_camera(camera, photo, needed_for=needs_camera or outputs.needs_camera_for)
    location = model.locate()
    location.refuse_relative()
    scene = encode(location.load(), photo, camera)
    if scene.plan is not None:
        note(scene.plan.describe())
    answer = None
    if question is not None:
        depth_m = scene.depth_at(np.concatenate(parts), outside="nan")
        depths = np.split(depth_m, np.cumsum([len(part) for part in parts])[:-1])
        answer = question.answer(depths, scene, camera.distortion)
    outputs.write_pictures(answer, scene, photo, image.name, camera.distortion)
    if question is not None and answer is not None:
        outputs.write_table(answer, question.noun)
