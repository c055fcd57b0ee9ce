"""Measure the cost of SPD against its baselines, and write `research/performance.md`."""
