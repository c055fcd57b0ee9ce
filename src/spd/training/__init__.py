"""Parts of training: objective, optimiser, processes, runs on disk (`spd.train` has the loop)."""
