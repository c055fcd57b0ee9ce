"""Parts of the evaluation: predictions on disk, the loop that makes them, and the report."""
