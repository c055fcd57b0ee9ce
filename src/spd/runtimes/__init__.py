"""Asking an exported model through ONNX Runtime or OpenVINO; torch is never loaded here."""

from spd.runtimes.export_predictor import RuntimePredictor, RuntimeScene, open_export
from spd.runtimes.folder import is_export

__all__ = ["RuntimePredictor", "RuntimeScene", "is_export", "open_export"]
