# Choose the CRF of each scene: trial encodes, what they lose against the source, zones.
#
#   python crf_per_scene.py clip.mp4 x264 zones.txt     then x264 --crf 24 --zones "$(cat ...)"
#   python crf_per_scene.py clip.mp4 svt-av1 zones.txt  then av1an -e svt-av1 --zones zones.txt
import subprocess
import sys
import tempfile

import vapoursynth as vs

from vs_filter import search_crf, write_crfs

TRIALS = {
    "x264": ((20, 28, 36), "264", "x264 --quiet --demuxer y4m --crf {crf} -o {out} -"),
    "svt-av1": ((25, 40, 55), "ivf", "SvtAv1EncApp --preset 10 --crf {crf} -i stdin -b {out}"),
}
file, encoder, zones = sys.argv[1:4]
crfs, suffix, command = TRIALS[encoder]
source, encodes = vs.core.bs.VideoSource(file, cachemode=0), {}
with tempfile.TemporaryDirectory() as folder:
    for crf in crfs:
        out = f"{folder}/{crf}.{suffix}"
        words = command.format(crf=crf, out=out).split()
        with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
            source.output(process.stdin, y4m=True)
        if process.returncode:
            sys.exit(f"{words[0]} failed with exit code {process.returncode}.")
        encodes[crf] = vs.core.bs.VideoSource(out, cachemode=0)
    scenes = search_crf(source, encodes, segment="scenes", max_loss=0.02)
write_crfs(scenes, zones, "x264" if encoder == "x264" else "av1an", crf=24)
for scene in scenes:
    print(f"frames {scene.start} to {scene.end - 1}: CRF {scene.crf:g} ({scene.difference:+.3f})")
