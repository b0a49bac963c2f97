"""Model weights: the registry, the local cache, file formats, loading."""
