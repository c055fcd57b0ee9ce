"""Find the file in a form, in memory; Starlette's own form parser writes larger files to disk."""

import math

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from spd.serve.refusals import bad_request

PHOTO, MASK = "photo", "mask"
"""Names of the file fields."""
_MOST_PARTS = 100
_IN_MEMORY = {"MAX_MEMORY_FILE_SIZE": math.inf}  # the body itself has a limit already


def file_in_form(body: bytes, content_type: str, name: str) -> bytes:
    """The bytes of the first part with this name.

    Raises:
        RefusalError: if the form is damaged or incomplete, or has no such part.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise bad_request(
            "the content type multipart/form-data has no boundary; let your HTTP library set it"
        )
    if body.count(b"\r\n--" + boundary) > _MOST_PARTS:  # each takes the parser's time
        raise bad_request(f"the form has more than {_MOST_PARTS} parts; send one file in it")
    found: list[bytes] = []
    ends: list[bool] = []

    def add_field(field: Field) -> None:
        if field.field_name == name.encode():
            found.append(field.value or b"")

    def add_file(file: File) -> None:
        if file.field_name == name.encode():
            file.file_object.seek(0)
            found.append(file.file_object.read())

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
    if not found:
        raise bad_request(
            f"the form has no field {name!r}; send the file in it, with curl as "
            f"-F {name}=@{name}.png"
        )
    return found[0]
