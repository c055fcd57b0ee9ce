"""One self-contained HTML page about one evaluation or several.

The results are read into sections of plain parts (`parts.py`), which one template draws.
"""
