"""Predictors that are loaded once for many commands."""

import functools

from spd.predictors.model_options import ModelLocation, ModelOptions

_load = ModelLocation.load


@functools.cache
def _predictor(options: ModelOptions):
    return _load(options.locate())


def load_once(monkeypatch) -> None:
    """Make commands share a predictor for each choice of model options."""
    monkeypatch.setattr(ModelLocation, "load", lambda self: _predictor(self.options))
