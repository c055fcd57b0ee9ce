"""Find the file in a form, in memory; Starlette's own form parser writes larger files to disk."""

import math

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from spd.errors import shown
from spd.serve.refusals import bad_request

PHOTO, MASK = "photo", "mask"
"""Names of the file fields."""
_MOST_PARTS = 100
_IN_MEMORY = {"MAX_MEMORY_FILE_SIZE": math.inf}  # the body itself has a limit already


def file_in_form(body: bytes, content_type: str, name: str) -> tuple[bytes, dict[str, str]]:
    """The bytes of the part with this name, and the other fields as text.

    Raises:
        RefusalError: if the form is damaged or incomplete, has no such part, or a part twice.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise bad_request(
            "the content type multipart/form-data has no boundary; let your HTTP library set it"
        )
    if body.count(b"\r\n--" + boundary) > _MOST_PARTS:  # each takes the parser's time
        raise bad_request(f"the form has more than {_MOST_PARTS} parts; send one file in it")
    found: list[tuple[str, bytes]] = []
    ends: list[bool] = []

    def add_field(field: Field) -> None:
        found.append((_text(field.field_name), field.value or b""))

    def add_file(file: File) -> None:
        file.file_object.seek(0)
        found.append((_text(file.field_name), file.file_object.read()))

    try:
        parser = FormParser(
            "multipart/form-data",
            add_field,
            add_file,
            lambda: ends.append(True),
            boundary,
            config=_IN_MEMORY,
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise bad_request(f"the multipart/form-data body is malformed ({error})") from None
    if not ends:
        raise bad_request("the multipart/form-data body ends before its last boundary")
    parts: dict[str, bytes] = {}
    for part, value in found:
        if parts.setdefault(part, value) != value:
            raise bad_request(f"the form has different fields {shown(part)}; send one")
    if name not in parts:
        raise bad_request(
            f"the form has no field {name!r}; send the file in it, with curl as "
            f"-F {name}=@{name}.png"
        )
    return parts.pop(name), {part: _text(value) for part, value in parts.items()}


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
