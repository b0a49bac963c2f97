"""Deprecated location of ``dover_plugin.cut``."""

from dover_plugin.deprecation import moved

__getattr__ = moved(__name__, {"cut": "cut"})
