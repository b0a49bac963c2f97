"""Scene detection with PySceneDetect."""

from dover_plugin.errors import SettingsError
from dover_plugin.io.options import USUAL_RATE
from dover_plugin.io.source import FrameSource

WIDTH = 256  # maximum frame width in pixels, as in PySceneDetect
SHORTEST = 0.6  # minimum scene length in seconds


def find_scenes(source: FrameSource) -> list[int]:
    """First frame of each scene, including 0. All frames are read.

    Raises:
        SettingsError: PySceneDetect is missing.
        VideoError: a frame cannot be decoded.
    """
    try:
        from scenedetect import AdaptiveDetector, FrameTimecode
    except ImportError:
        raise SettingsError(
            "Scene detection needs PySceneDetect, which is not installed. Install it with "
            "\"pip install 'dover-plugin[report]'\", or use a segment length such as '5s'."
        ) from None
    info = source.info
    fps = float(info.fps or USUAL_RATE)
    detector = AdaptiveDetector(min_scene_len=round(SHORTEST * fps))
    step = max(1, info.width // WIDTH)
    cuts = []
    for index, frame in source.frames(range(info.num_frames)):
        small = frame[::step, ::step, ::-1].copy()  # BGR
        cuts += detector.process_frame(FrameTimecode(index, fps), small)
    cuts += detector.post_process(FrameTimecode(info.num_frames - 1, fps))
    return sorted({0, *(cut.frame_num for cut in cuts)})
