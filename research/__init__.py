"""Measurements of SPD itself, for its developers; not part of the installed package.

Run from the repository root: `python -m research.experiment`, `research.performance`,
`research.focal`, `research.head_study`, `research.cost`.
"""
