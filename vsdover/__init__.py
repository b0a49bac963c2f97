"""DOVER for VapourSynth under the name of a VapourSynth package; see vs_filter."""

from vs_filter import *  # noqa: F403
from vs_filter import __all__ as __all__
