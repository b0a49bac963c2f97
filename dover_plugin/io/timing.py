"""Times and frame rate of a video, from the timestamps of its packets."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dover_plugin.io.options import FASTEST, USUAL_RATE

STEP_BACK = 0.5  # seconds; a decoding time that falls by more begins another recording
STEP_AHEAD = 10.0  # seconds; so does one that rises by more
SAME_RATE = 0.01  # share of the duration by which a frame rate may be wrong


def joined(dts: Sequence[int | None], unit: Fraction) -> list[int] | None:
    """Offsets that join recordings which follow each other in one file.

    Transport and program streams can be concatenated byte by byte; the timestamps of each part
    then start at their own value.

    Args:
        dts: decoding times in decode order.
        unit: seconds per tick.

    Returns:
        The ticks to add to the timestamps of each packet; None for a single recording.
    """
    back, ahead = STEP_BACK / unit, STEP_AHEAD / unit
    offset, previous, gap = 0, None, 0
    offsets = []
    parts = 1
    for at in dts:
        if at is not None and previous is not None:
            step = at - previous
            if step < -back or step > ahead:
                offset += gap - step
                parts += 1
            elif step > 0:
                gap = step
        previous = previous if at is None else at
        offsets.append(offset)
    return offsets if parts > 1 else None


def frame_times(ticks: Sequence[int], unit: Fraction, rate: float | None) -> NDArray[np.float64]:
    """Seconds from the first frame to the start of each frame and to the end of the last.

    The last frame lasts as long as the median frame.

    Args:
        ticks: ascending timestamps of the frames.
        unit: seconds per tick.
        rate: frames per second that the file states, for a video of one frame.

    Returns:
        (len(ticks) + 1,) seconds.
    """
    starts = (np.asarray(ticks, np.float64) - ticks[0]) * float(unit)
    last = float(np.median(np.diff(starts))) if len(starts) > 1 else 1 / (rate or USUAL_RATE)
    return np.append(starts, starts[-1] + last)


def frame_rate(rates: Iterable[Fraction | None], times: NDArray[np.float64] | None) -> float | None:
    """Frames per second: the first stated rate that agrees with the times, else the average.

    Args:
        rates: what the container and the codec state, the most reliable first.
        times: see frame_times; None if the timestamps are of no use.
    """
    stated = [float(rate) for rate in rates if rate and 0 < rate <= FASTEST]
    if times is None or len(times) < 3 or times[-1] <= 0:
        return stated[0] if stated else None
    frames, seconds = len(times) - 1, float(times[-1])
    for rate in stated:
        if abs(frames / rate - seconds) <= max(SAME_RATE * seconds, 0.5 / rate):
            return rate
    return round(frames / seconds, 3)
