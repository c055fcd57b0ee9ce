"""Photos as arrays, tensors and files, including HEIC, with their EXIF data."""
