"""Training of dover-open: human ratings of photographs first, degradation ladders second."""
