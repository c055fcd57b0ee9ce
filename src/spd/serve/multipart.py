"""The one file of a form, found in bytes that are all here: nothing is spooled to a disk."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from spd.serve.refusals import bad_request

PHOTO, MASK = "photo", "mask"
"""Fields of forms."""


class _Parts:
    """Collects the bytes of the first part of a name."""

    def __init__(self, name: str) -> None:
        self.file: bytearray | None = None
        self._name = name.encode()
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
            self._wanted = options.get(b"name") == self._name and self.file is None
        self._header, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        if self._wanted:
            self.file = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted and self.file is not None:
            self.file += data[start:end]

    def on_end(self) -> None:
        self.ended = True


def file_of(body: bytes, content_type: str, name: str) -> bytes:
    """The first part of that name.

    Raises:
        RefusalError: if the body is no form, ends early, or has no such part.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise bad_request("multipart/form-data without a boundary; let your HTTP library make it")
    parts = _Parts(name)
    hooks = [hook for hook in dir(parts) if hook.startswith("on_")]
    try:
        parser = MultipartParser(boundary, {hook: getattr(parts, hook) for hook in hooks})  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise bad_request(f"the multipart/form-data body is damaged ({error})") from None
    if not parts.ended:
        raise bad_request("the multipart/form-data body ends before its last boundary")
    if parts.file is None:
        raise bad_request(f"the form has no field {name!r}; send the file as {name}=@{name}.png")
    return bytes(parts.file)
