"""The one file of a form, found in bytes that are all here: nothing is spooled to a disk."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from spd.serve.refusals import bad_request

FIELD = "photo"


class _Parts:
    """Collects the bytes of the part that is called `photo`."""

    def __init__(self) -> None:
        self.photo: bytearray | None = None
        self.ended = False
        self._header, self._value = bytearray(), bytearray()
        self._wanted = False

    def on_part_begin(self) -> None:
        self._wanted = False

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._wanted = options.get(b"name") == FIELD.encode() and self.photo is None
        self._header, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        if self._wanted:
            self.photo = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted and self.photo is not None:
            self.photo += data[start:end]

    def on_end(self) -> None:
        self.ended = True


def photo_of(body: bytes, content_type: str) -> bytes:
    """The first part called `photo`.

    Raises:
        RefusalError: if the body is no form, ends early, or has no such part.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise bad_request("multipart/form-data without a boundary; let your HTTP library make it")
    parts = _Parts()
    names = [name for name in dir(parts) if name.startswith("on_")]
    try:
        parser = MultipartParser(boundary, {name: getattr(parts, name) for name in names})  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise bad_request(f"the multipart/form-data body is damaged ({error})") from None
    if not parts.ended:
        raise bad_request("the multipart/form-data body ends before its last boundary")
    if parts.photo is None:
        raise bad_request(f"the form has no field {FIELD!r}; send the file as {FIELD}=@photo.jpg")
    return bytes(parts.photo)
