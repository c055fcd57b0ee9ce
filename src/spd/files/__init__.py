"""Files: written whole or not at all, checked before work begins, and read with limits."""

from spd.files.places import (
    LOCK,
    UNFINISHED,
    check_folder,
    check_writable,
    is_special,
    is_taken,
    leave_removed_folder,
    make_folder,
    real_path,
    refuse_existing,
)
from spd.files.reading import (
    LISTED_BYTES,
    file_sha256,
    parse_json,
    read_json,
    read_stream,
    read_text,
    storable,
)
from spd.files.writing import (
    atomic_path,
    remove_folder,
    remove_unfinished,
    write_bytes,
    write_text,
)

__all__ = [
    "LISTED_BYTES",
    "LOCK",
    "UNFINISHED",
    "atomic_path",
    "check_folder",
    "check_writable",
    "file_sha256",
    "is_special",
    "is_taken",
    "leave_removed_folder",
    "make_folder",
    "parse_json",
    "read_json",
    "read_stream",
    "read_text",
    "real_path",
    "refuse_existing",
    "remove_folder",
    "remove_unfinished",
    "storable",
    "write_bytes",
    "write_text",
]
