"""Facts about NYU Depth V2: its camera, its border, its official split."""
