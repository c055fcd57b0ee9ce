"""What a photo may come as, beside a file that Pillow reads: arrays, tensors, HEIC, EXIF."""
