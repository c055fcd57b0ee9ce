"""`spd serve`: options and start; the service is imported when the command runs."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spd.cli.options import (
    DEFAULT_INPUT_MEGAPIXELS,
    Device,
    MaxInputMegapixels,
    Memory,
    Model,
    Precision,
    Runtime,
    Threads,
)
from spd.errors import require

if TYPE_CHECKING:
    from spd.predictors.model_options import ModelOptions
    from spd.serve.config import ServeConfig


def serve(
    model: Model = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all interfaces.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 for any free port."),
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            help="File with the token that every request must send; default: $SPD_TOKEN, if set.",
        ),
    ] = None,
    max_megabytes: Annotated[
        float, typer.Option("--max-megabytes", help="Maximum size of a photo file, in MB.")
    ] = 32,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", help="Maximum size of a photo, in megapixels.")
    ] = 50,
    max_points: Annotated[
        int, typer.Option("--max-points", help="Maximum number of points per request.")
    ] = 1_000_000,
    keep_images: Annotated[
        int,
        typer.Option(
            "--keep-images",
            help="Maximum number of photos in the cache; the least recently used is evicted.",
        ),
    ] = 100,
    keep_minutes: Annotated[
        float,
        typer.Option("--keep-minutes", help="Minutes a photo stays cached after its last query."),
    ] = 30,
    keep_megabytes: Annotated[
        float, typer.Option("--keep-megabytes", help="Memory limit for all cached photos, in MB.")
    ] = 1024,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            help="Timeout in seconds, separately for receiving a request body and answering it.",
        ),
    ] = 60,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            help="Origin of a web page that may use the service, such as https://example.org; "
            "repeatable. Default: the service's own page only.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            help="Host name of the service behind a proxy or on a local network; repeatable. "
            "Default: localhost and the service's addresses.",
        ),
    ] = None,
    device: Device = None,
    runtime: Runtime = None,
    precision: Precision = None,
    max_input_megapixels: MaxInputMegapixels = DEFAULT_INPUT_MEGAPIXELS,
    threads: Threads = None,
    memory: Memory = None,
) -> None:
    """Serve depth over HTTP: upload a photo once, query it many times; includes a web page.

    Example: `spd serve --port 8000 --model runs/rooms_tiny`
    """
    require("fastapi", "uvicorn", "python_multipart", "prometheus_client", "cachetools")
    from spd.memory import available_bytes, limit_this_process
    from spd.photos.limits import PhotoLimits
    from spd.predictors.model_options import ModelOptions
    from spd.processes import use_threads
    from spd.serve.config import ServeConfig
    from spd.serve.security import read_token

    use_threads(threads)
    limit_this_process(memory)
    config = ServeConfig(
        max_megabytes=max_megabytes,
        max_megapixels=max_megapixels,
        max_points=max_points,
        keep_images=keep_images,
        keep_minutes=keep_minutes,
        keep_megabytes=_cache_megabytes(keep_megabytes, available_bytes()),
        request_seconds=timeout,
        body_seconds=timeout,
        allow_origins=tuple(allow_origin or ()),
        allow_hosts=(host, *(allow_host or ())),
    )
    token = read_token(token_file)
    options = ModelOptions(
        model=model,
        device=device,
        runtime=runtime,
        precision=precision,
        limits=PhotoLimits.of(max_megapixels, max_input_megapixels),
    )
    _serve(options, config, host, port, token)


def _cache_megabytes(asked: float, left_bytes: int | None) -> float:
    """Size of the cache: as requested, but at most a third of the available memory."""
    most = math.inf if left_bytes is None else left_bytes / 3e6
    if asked > most:
        _note(f"--keep-megabytes is {most:.0f}, a third of the available memory")
    return min(asked, most)


def _serve(
    options: "ModelOptions", config: "ServeConfig", host: str, port: int, token: str | None
) -> None:
    """Bind first, so that a port in use is reported before the model is loaded; then answer."""
    from spd.photos.opening import quiet_decoders
    from spd.serve.allocator import return_large_blocks
    from spd.serve.app import create_app
    from spd.serve.connections import CONNECTIONS, most_connections
    from spd.serve.security import is_loopback
    from spd.serve.server import bind, server_of, url_of
    from spd.serve.service import ServedModel

    location = options.locate()
    location.refuse_relative()
    with bind(host, port) as bound:
        if token is None and not is_loopback(host):
            _note(
                f"warning: everyone who can reach {host} can use this service, and traffic is not "
                "encrypted; set a token (--token-file) and run it behind a TLS proxy"
            )
        return_large_blocks()
        quiet_decoders()
        served = ServedModel(
            predictor=location.load(),
            name=Path(options.name).name,
            runtime=location.runtime,
            precision=options.precision or "float32",
        )
        app = create_app(served, config, token)
        _note(f"serving {served.name} on {location.runtime} at {url_of(bound)} (Ctrl-C to stop)")
        most = most_connections()
        if most < CONNECTIONS:
            _note(
                f"only {most} connections can be open, because this process may not open enough "
                f"files for {CONNECTIONS}; raise the limit (ulimit -n)"
            )
        server_of(app, most).run(sockets=[bound])
        _note("stopped")


def _note(message: str) -> None:
    """Print to stderr, at once even if that is a file."""
    print(message, file=sys.stderr, flush=True)
