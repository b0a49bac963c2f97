"""Deprecated location of ``dover_plugin.score_on_ray``."""

from dover_plugin.deprecation import moved

__getattr__ = moved(__name__, {"score_on_ray": "score_on_ray"})
