"""DOVER for VapourSynth: video quality as frame properties.

``from vsdover import dover; clip = dover(clip)`` in a script; see docs/vapoursynth.md.
"""

from dover_plugin.analysis.segments import Segment
from dover_plugin.frame_properties import ALL as PROPS
from vs_filter.compare import dover_compare, dover_compare_segments
from vs_filter.crf import SceneCrf, search_crf, write_crfs
from vs_filter.diagnosis import diagnose
from vs_filter.filter import dover, dover_segments
from vs_filter.overlay import dover_overlay
from vs_filter.results import collect, low_quality, scored_ranges
from vs_filter.zones import Range, write_ranges, write_scenes

__all__ = [
    "PROPS",
    "Range",
    "SceneCrf",
    "Segment",
    "collect",
    "diagnose",
    "dover",
    "dover_compare",
    "dover_compare_segments",
    "dover_overlay",
    "dover_segments",
    "low_quality",
    "scored_ranges",
    "search_crf",
    "write_crfs",
    "write_ranges",
    "write_scenes",
]
