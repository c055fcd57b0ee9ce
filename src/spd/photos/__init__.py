"""Photos: reading them from files, arrays and tensors, their camera, and resampling."""
