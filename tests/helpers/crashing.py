"""Worker processes of a batch that some photos end, as a decoder that crashes would."""

import os
import signal

from spd.batch import engines
from spd.photos import reading
from spd.predictors.model_options import ModelLocation

CRASHING = "crashing"

_start = engines._start


def start_crashing(location: ModelLocation) -> None:
    """In place of `engines._start`: a photo with `crashing` in its name ends the process."""
    read = reading._from_path

    def read_or_crash(path: str | os.PathLike[str]) -> tuple[bytes, str]:
        if CRASHING in os.path.basename(path):
            os.kill(os.getpid(), signal.SIGKILL)
        return read(path)

    reading._from_path = read_or_crash  # in this process alone
    _start(location)


def start_dying(location: ModelLocation) -> None:
    """In place of `engines._start`: no process can load the network."""
    os.kill(os.getpid(), signal.SIGKILL)
