"""Predictors for SPD checkpoints, calibrated predictors, and `spd.load`."""
