"""DOVER for VapourSynth: video quality as frame properties.

``from vs_filter import dover; clip = dover(clip)`` in a script; see docs/vapoursynth.md.
"""

from vs_filter.filter import PROPS, dover, dover_compare, dover_segments
from vs_filter.results import Range, collect, low_quality, write_ranges
from vs_filter.segments import Segment

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
