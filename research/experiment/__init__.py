"""The experiment: which local path reads the maps best, and do the specification's claims hold.

config -> rooms -> trunk (all local paths at once) -> cache of its maps -> heads, seed by seed
       -> scores, latency, attention -> summary.json, pictures, results.md
"""
