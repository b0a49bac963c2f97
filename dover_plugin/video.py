"""Deprecated location of ``dover_plugin.open_source``."""

from dover_plugin.deprecation import moved

__getattr__ = moved(__name__, {"open_source": "open_source"})
