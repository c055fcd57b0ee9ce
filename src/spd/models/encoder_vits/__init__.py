"""DINOv2 encoder and the neck that turns its features into a pyramid."""
