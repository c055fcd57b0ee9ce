"""DINOv2 encoder and the neck that turns its features into a pyramid."""

from spd.errors import check_docstrings

check_docstrings()  # before any module here imports transformers
