"""Weights on disk: checkpoint folders, training runs, and the weights an encoder starts from."""
