"""HTML pages of the service: the page in `page/` at the root, and a table of the operations."""

import html
import mimetypes
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response

PAGE = Path(__file__).parent / "page"
"""Static files; each is served under its own name."""

# `frame-ancestors` works in a header alone, not in the page's own <meta>.
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "frame-ancestors 'none'",
}
_TYPES = mimetypes.MimeTypes()  # Python's own table; a system's may call scripts plain text
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SPD: operations</title><style>
body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ccc; padding: .4rem; text-align: left; vertical-align: top }
code { font-size: 90% }
</style></head><body>
"""


def add_pages(app: FastAPI) -> None:
    """Serve the page and the table of operations."""
    for file in sorted(PAGE.iterdir()):
        if file.is_file():
            _add_file(app, f"/{file.name}", file)
    _add_file(app, "/", PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(operations_page(app.openapi()), headers=_HEADERS)


def _add_file(app: FastAPI, path: str, file: Path) -> None:
    """Serve a file from memory, so that requests for pages open no files."""
    data, kind = file.read_bytes(), _TYPES.guess_type(file.name)[0]

    @app.get(path, include_in_schema=False)
    async def page() -> Response:
        return Response(data, headers=_HEADERS, media_type=kind)


def operations_page(schema: dict[str, Any]) -> str:
    """A table of all operations as HTML that loads nothing from elsewhere."""
    rows = [
        _row(method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    title = html.escape(f"{schema['info']['title']} {schema['info']['version']}")
    return (
        f"{_HEAD}<h1>{title}</h1><p>{html.escape(schema['info']['description'])} The full "
        'OpenAPI description is <a href="openapi.json">openapi.json</a>.</p>'
        "<table><tr><th>operation</th><th>parameters and body</th><th>status codes</th></tr>"
        f"{''.join(rows)}</table></body></html>\n"
    )


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = [parameter["name"] for parameter in operation.get("parameters", [])]
    bodies = list(operation.get("requestBody", {}).get("content", {}))
    cells = (
        f"<code>{method.upper()} {html.escape(path)}</code><br>{html.escape(operation['summary'])}",
        html.escape(", ".join([*parameters, *bodies])),
        html.escape(", ".join(operation["responses"])),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
