"""Pickling of predictors and scenes: the model is loaded again from its source.

A pickled scene contains its encoded photo but no network. All scenes of one source that are
unpickled in a process share one predictor.
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
    """How to load a predictor; it can be pickled."""

    load: Callable[[], Any]
    """Function that loads the predictor."""
    version: tuple[int, int]
    """Size and modification time of the model's file, which change if the file is replaced."""

    @classmethod
    def of(cls, load: Callable[[], Any], file: Path) -> "Source":
        """The source of a predictor whose model is in this file."""
        found = os.stat(file)
        return cls(load, (found.st_size, found.st_mtime_ns))

    @functools.cached_property
    def _key(self) -> bytes:
        return pickle.dumps((self.load, self.version))

    def remember(self, predictor: object) -> None:
        """Use this predictor for scenes of this source that are unpickled in this process."""
        _shared_predictors.setdefault(self._key, predictor)

    def shared(self) -> Any:
        """The predictor of this source in this process; it is loaded if there is none."""
        found = _shared_predictors.get(self._key)
        if found is None:
            found = _shared_predictors[self._key] = self.load()
        return found


_shared_predictors: "weakref.WeakValueDictionary[bytes, Any]" = weakref.WeakValueDictionary()


def reload_predictor(source: Source, limits: object) -> Any:
    """Load a new predictor with these limits."""
    predictor = source.load()
    predictor.limits = limits
    return predictor
