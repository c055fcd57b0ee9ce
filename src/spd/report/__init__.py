"""One self-contained HTML page about a folder of results.

A kind of folder is read into sections of plain parts (`parts.py`), and one template draws all
parts, so another kind needs a reader and no HTML.
"""
