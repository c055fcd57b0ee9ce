"""One self-contained HTML page about one evaluation or several.

Stored results become sections of plain parts (`page_parts.py`), which one template draws.
"""
