"""Give the parts that an encode degraded most more bits in the next encode: zones for x264.

    ffmpeg -i clip.mp4 -c:v libx264 -crf 30 -an first.mp4
    python zones_from_losses.py clip.mp4 first.mp4 zones.txt
    ffmpeg -i clip.mp4 -f yuv4mpegpipe - |
        x264 --demuxer y4m --crf 30 --zones "$(cat zones.txt)" -o second.264 -

The third and fourth argument may name a threshold and a weights file.
"""

import sys

import vapoursynth as vs

from vs_filter import dover_compare_segments, low_quality, write_ranges

source, encode, zones = sys.argv[1:4]
below = float(sys.argv[4]) if len(sys.argv) > 4 else -0.03
weights = sys.argv[5] if len(sys.argv) > 5 else None

clips = [vs.core.bs.VideoSource(path, cachemode=0) for path in (source, encode)]
compared = dover_compare_segments(*clips, segment="5s", weights=weights)
ranges = low_quality(compared, by="technical_difference", below=below, progress=True)
write_ranges(ranges, zones, "x264", "b=1.5")  # without ranges: a zone that changes nothing
print(f"{len(ranges)} ranges lose more than {-below:g}")
