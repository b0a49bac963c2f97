"""DOVER for VapourSynth."""
