"""Correlation of scores with mean opinion scores (MOS)."""
