"""Exporting a model as ONNX graphs (`docs/export.md`), and publishing it on the hub."""
