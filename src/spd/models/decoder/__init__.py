"""Global path (once per image) and local paths (once per queried pixel)."""
