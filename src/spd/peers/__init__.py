"""Depth models that others published in transformers' format, behind the predictor of ours."""
