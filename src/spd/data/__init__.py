"""RGB-D data: samples, folders, synthetic rooms, transforms, loading."""
