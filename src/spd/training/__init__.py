"""Parts of the training loop in `spd.train`: what is optimised, across processes, and kept."""
