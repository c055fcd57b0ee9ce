"""Write docs/reference/http.md from the OpenAPI schema of `spd serve`.

Run it as `python tools/http_page.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "docs" / "reference" / "http.md"
JSON = "application/json"
UNSENT = ("HTTPValidationError", "ValidationError")
"""FastAPI's own error schemas; the service answers with its ErrorAnswer instead."""

HEAD = """# HTTP

<!-- Made by tools/http_page.py from the service's OpenAPI schema; edit that schema instead. -->

The HTTP interface of `spd serve`. [Serving](../serving.md) explains how to start the service. A
running service provides the same description as OpenAPI at `/openapi.json`. Points are `[u, v]`:
column and row in pixels of the upright photo, where integers are pixel centres. Lengths are in
metres. If the service has a token, requests to `/v1` and `/metrics` (Prometheus text format) need
the header `Authorization: Bearer TOKEN`.

## Operations
"""


def page(schema: dict[str, Any]) -> str:
    """Every operation, every error and every body, as Markdown."""
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    lines = [HEAD]
    for title, operation in operations:
        lines += _operation(title, operation)
    lines.append("## Errors\n\n| status | meaning |\n|---|---|")
    refused = {s: a for _, o in operations for s, a in o["responses"].items() if _is_error(s)}
    lines += [f"| {status} | {_said(refused[status])} |" for status in sorted(refused)]
    lines.append("\n## Bodies\n")
    for name, body in sorted(_bodies(schema, [o for _, o in operations]).items()):
        lines += _body(name, body)
    return "\n".join(lines)


def _operation(title: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### {title}\n"
    yield operation.get("description", operation.get("summary", "")).rstrip(".") + ".\n"
    if parameters := [p for p in operation.get("parameters", []) if p["in"] == "query"]:
        yield "| query parameter | type | description |\n|---|---|---|"
        for parameter in parameters:
            kind = _kind(parameter["schema"])
            yield f"| `{parameter['name']}` | {kind} | {_said(parameter)} |"
        yield ""
    if body := operation.get("requestBody"):
        yield f"Body: {_contents(body)}.\n"
    answers = operation["responses"]
    for status, answer in answers.items():
        if not _is_error(status):
            yield f"Response {status}: {_contents(answer)}.\n"
    yield f"Errors: {', '.join(sorted(filter(_is_error, answers))) or 'none'}.\n"


def _is_error(status: str) -> bool:
    return int(status) >= 400


def _said(thing: dict[str, Any]) -> str:
    return " ".join(thing.get("description", "").split()).replace("|", "\\|")


def _contents(message: dict[str, Any]) -> str:
    """The kinds of body: JSON by its schema, files by their content type."""
    contents = message.get("content", {}).items()
    shown = [
        _kind(content["schema"]) if media == JSON else f"`{media}`" for media, content in contents
    ]
    return ", ".join(shown) or "empty"


def _bodies(schema: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Schemas by name: the shared ones and those defined in an operation."""
    own = (
        content["schema"]
        for operation in operations
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
        if media == JSON and "title" in content["schema"]
    )
    shared = schema["components"]["schemas"].items()
    return {
        **{name: body for name, body in shared if name not in UNSENT},
        **{body["title"]: body for body in own},
    }


def _body(name: str, body: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield body.get("description", "") + "\n"
    yield "| field | type | description |\n|---|---|---|"
    for field, schema in body.get("properties", {}).items():
        default = f" Default: `{schema['default']}`." if "default" in schema else ""
        yield f"| `{field}` | {_kind(schema)} | {(_said(schema) + default).strip()} |"
    yield ""


def _kind(schema: dict[str, Any]) -> str:
    """A schema in words, with links to the bodies that it names."""
    if "$ref" in schema or schema.get("type") == "object":
        name = schema["$ref"].rsplit("/", 1)[1] if "$ref" in schema else schema["title"]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"({', '.join(_kind(one) for one in schema['prefixItems'])})"
        kind = _kind(schema["items"])
        return f"list of ({kind})" if " or " in kind and kind[0] != "(" else f"list of {kind}"
    return schema.get("type", "anything")


def schema_of_the_service() -> dict[str, Any]:
    """OpenAPI schema of a service with the shipped model."""
    import spd
    from spd.serve.app import create_app
    from spd.serve.service import ServedModel

    model = ServedModel(predictor=spd.load(device="cpu"), name="shipped", runtime="torch")
    return create_app(model).openapi()


if __name__ == "__main__":
    OUT.write_text(page(schema_of_the_service()), encoding="utf-8")
