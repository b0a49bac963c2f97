"""Score many videos: journal, runner, tables, Ray."""

from dover_plugin.deprecation import moved

__getattr__ = moved(__name__, {"Journal": "Journal", "score_batch": "score_batch"})
