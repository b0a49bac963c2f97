"""Scores as terminal tables, CSV, JSON, plots and HTML reports."""
