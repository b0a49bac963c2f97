"""DOVER for VapourSynth: video quality as frame properties.

``from vs_filter import dover; clip = dover(clip)`` in a script; see docs/vapoursynth.md.
"""

from dover_plugin.analysis.segments import Segment
from vs_filter.filter import PROPS, dover, dover_compare, dover_segments
from vs_filter.results import Range, collect, low_quality, write_ranges

__all__ = [
    "PROPS",
    "Range",
    "Segment",
    "collect",
    "dover",
    "dover_compare",
    "dover_segments",
    "low_quality",
    "write_ranges",
]
