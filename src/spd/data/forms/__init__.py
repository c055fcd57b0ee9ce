"""The forms RGB-D data comes in, recognised by content."""

from pathlib import Path

from spd.data.folder import RGBDFolder
from spd.data.forms.bts import BTS
from spd.data.forms.h5_frames import H5Frames
from spd.data.forms.image_folders import ImageDepthFolders
from spd.data.forms.labelled_mat import LabelledMat
from spd.data.forms.parquet import ParquetTables
from spd.data.forms.table import Table
from spd.data.source import Source
from spd.data.source_name import HUB, SourceName
from spd.errors import DataError

FORMS: tuple[type[Source], ...] = (
    RGBDFolder,
    LabelledMat,
    BTS,
    H5Frames,
    ParquetTables,
    ImageDepthFolders,
    Table,
)
"""Every reader there is; `form=` takes their `form`."""


def recognise(path: Path) -> dict[type[Source], str]:
    """Every form whose marks this path bears, and what they are.

    Raises:
        DataError: if the path may not be looked into.
    """
    try:
        found = {form: form.recognise(path) for form in FORMS}
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot look into {path}: {reason}") from None
    return {form: evidence for form, evidence in found.items() if evidence is not None}


def open_source(text: str) -> Source:
    """Open `PATH[:SPLIT][,key=value]...`, whatever its form.

    Raises:
        DataError: if nothing is there, no form or more than one fits, or the reader refuses.
    """
    name = SourceName.parse(text)
    # Not as a Path, which would make one slash of the two in hf://.
    return _reader(name)(name.path, name.split, name.options)


def _reader(name: SourceName) -> type[Source]:
    if name.options.form is not None:
        for form in FORMS:
            if form.form == name.options.form:
                return form
        raise DataError(f"no form {name.options.form!r}; there are {_listed(FORMS)}")
    if name.path.startswith(HUB):
        return ParquetTables
    name.check_there()
    path = Path(name.path)
    found = recognise(path)
    if len(found) == 1:
        return next(iter(found))
    if found:
        shown = "; ".join(f"{form.form} ({evidence})" for form, evidence in found.items())
        raise DataError(f"{path} may be of several forms: {shown}; choose one with form=")
    raise DataError(f"{path} is of no known form; there are {_listed(FORMS)} (docs/formats.md)")


def _listed(forms: tuple[type[Source], ...]) -> str:
    return ", ".join(form.form for form in forms)
