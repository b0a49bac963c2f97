"""Clips whose quality is known, because this code spoilt them."""
