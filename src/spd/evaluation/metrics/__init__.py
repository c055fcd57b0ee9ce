"""Metrics that compare predicted depth with measured depth; numpy and scipy, never torch."""
