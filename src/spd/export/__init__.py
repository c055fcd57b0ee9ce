"""Writing a model as graphs that run where torch is not (`docs/export.md`)."""
