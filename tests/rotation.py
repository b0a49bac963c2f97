"""Files whose header asks for a rotation."""

import struct
from pathlib import Path

ONE = 1 << 16
MATRICES = {90: (0, ONE, -ONE, 0), 180: (-ONE, 0, 0, -ONE), 270: (0, -ONE, ONE, 0)}


def rotated(path: Path, target: Path, degrees: int = 90) -> Path:
    """Write a matrix into the track header of an MP4 (ISO 14496-12, 8.3.2): turned clockwise."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = MATRICES[degrees]
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target
