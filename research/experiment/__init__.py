"""Compare the local paths on one trunk, and test the specification's claims.

config -> rooms -> trunk (all local paths at once) -> cache of its maps -> heads, seed by seed
       -> scores, latency, attention -> summary.json, pictures, results.md
"""
