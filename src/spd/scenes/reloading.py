"""Predictors and scenes in other processes: pickled as their source, loaded from it again.

A pickled scene holds its encoded photo but no network. Scenes that arrive in a process share one
predictor, and in the process that loaded it they find that one.
"""

import dataclasses
import functools
import os
import pickle
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """How a predictor is loaded; it can be pickled."""

    load: Callable[[], Any]
    """Loads it."""
    version: tuple[int, int]
    """Size and time of its file, which tell weights apart that replaced others."""

    @classmethod
    def of(cls, load: Callable[[], Any], file: Path) -> "Source":
        """The source of a predictor whose model is in this file."""
        found = os.stat(file)
        return cls(load, (found.st_size, found.st_mtime_ns))

    @functools.cached_property
    def _key(self) -> bytes:
        return pickle.dumps((self.load, self.version))

    def remember(self, predictor: object) -> None:
        """Let scenes of this source that arrive here be answered by this predictor."""
        _living.setdefault(self._key, predictor)

    def living(self) -> Any:
        """A predictor of this source that this process holds, else loaded and shared."""
        found = _living.get(self._key)
        if found is None:
            found = _living[self._key] = self.load()
        return found


_living: "weakref.WeakValueDictionary[bytes, Any]" = weakref.WeakValueDictionary()


def loaded_again(source: Source, limits: object) -> Any:
    """A predictor of its own, with these limits."""
    predictor = source.load()
    predictor.limits = limits
    return predictor
