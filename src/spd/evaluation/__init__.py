"""Evaluation: predictions on disk, their metrics under named protocols, and the report."""
