"""Find the file in a form that is all in memory.

Starlette's own form parser writes larger files to the disk; the service must not.
"""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from spd.serve.refusals import bad_request

PHOTO, MASK = "photo", "mask"
"""Names of the file fields."""


class _FormFile:
    """Collects the bytes of the first part with the given name."""

    def __init__(self, name: str) -> None:
        self.data: bytearray | None = None
        self.is_complete = False
        self._name = name.encode()
        self._header, self._value = bytearray(), bytearray()
        self._inside = False

    def on_part_begin(self) -> None:
        self._inside = False

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._inside = options.get(b"name") == self._name and self.data is None
        self._header, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        if self._inside:
            self.data = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside and self.data is not None:
            self.data += data[start:end]

    def on_end(self) -> None:
        self.is_complete = True


def file_in_form(body: bytes, content_type: str, name: str) -> bytes:
    """The bytes of the first part with this name.

    Raises:
        RefusalError: if the form is damaged or incomplete, or has no such part.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise bad_request("multipart/form-data without a boundary; let your HTTP library set it")
    found = _FormFile(name)
    hooks = [hook for hook in dir(found) if hook.startswith("on_")]
    try:
        parser = MultipartParser(boundary, {hook: getattr(found, hook) for hook in hooks})  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise bad_request(f"the multipart/form-data body is damaged ({error})") from None
    if not found.is_complete:
        raise bad_request("the multipart/form-data body ends before its last boundary")
    if found.data is None:
        raise bad_request(f"the form has no field {name!r}; send the file as {name}=@{name}.png")
    return bytes(found.data)
