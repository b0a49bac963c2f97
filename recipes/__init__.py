"""Recipes that train the weights shipped with the package."""
