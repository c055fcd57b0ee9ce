"""The network: encoder, neck, global path, local paths, and the model that joins them."""
