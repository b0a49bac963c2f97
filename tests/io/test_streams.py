"""Which stream is scored, and that a file leads to no other file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest
from clips import numbered, write_clip

from dover_plugin import VideoError
from dover_plugin.io.open import open_source


def two_streams(
    path: Path, sizes: list[tuple[int, int]], default: int, lengths: list[int] | None = None
) -> Path:
    """Streams of these sizes (width, height); one of them is the default."""
    lengths = lengths or [20] * len(sizes)
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for number, (width, height) in enumerate(sizes):
            stream: Any = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = av.stream.Disposition.default if number == default else 0
            streams.append(stream)
        for index, picture in enumerate(numbered(max(lengths))):
            for stream, length in zip(streams, lengths, strict=True):
                if index < length:
                    frame = av.VideoFrame.from_ndarray(picture)
                    frame = frame.reformat(stream.width, stream.height)
                    frame.pts = index
                    container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_the_largest_stream_is_scored_and_named(suffix: str, tmp_path: Path) -> None:
    path = two_streams(tmp_path / f"two.{suffix}", [(160, 80), (320, 160)], default=0)
    info = open_source(path).info
    assert (info.width, info.height, info.stream) == (320, 160, 1)
    says = "stream 1 (320x160) of 2 video streams is scored; --stream chooses another one"
    assert says in info.warnings
    other = open_source(path, stream=0)
    assert (other.info.width, other.info.stream) == (160, 0)
    assert len(list(other.frames(range(20)))) == 20
    with pytest.raises(VideoError, match=r"no video stream 7\. Its video streams: 0, 1"):
        open_source(path, stream=7)


def test_a_stream_of_one_frame_comes_last(tmp_path: Path) -> None:
    path = two_streams(tmp_path / "cover.mkv", [(640, 480), (160, 80)], 0, lengths=[1, 20])
    info = open_source(path).info
    assert (info.num_frames, info.width) == (20, 160)


HOSTILE = {
    "concat.mp4": "ffconcat version 1.0\nfile '{other}'\n",
    "plain.mkv": "# ffconcat version 1.0\nfile '{other}'\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n",
    "address.ts": "#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "dash.mp4": "<?xml version='1.0'?><MPD><Period><BaseURL>{other}</BaseURL></Period></MPD>",
    "talk.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "sub.idx": "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n",
    "winamp.mp4": "[playlist]\nFile1={other}\nNumberOfEntries=1\n",
    "media.wmv": "<asx version='3.0'><entry><ref href='{other}'/></entry></asx>",
}
OPEN_ALL = """
import sys
from dover_plugin.errors import VideoError
from dover_plugin.io.open import open_source
for path in sys.argv[1:]:
    print("MARK", flush=True)
    try:
        source = open_source(path)
        list(source.frames([0]))
        print("opened", path)
    except VideoError as error:
        print("error", error)
"""


def hostile_files(folder: Path) -> list[Path]:
    """Scripts, playlists, and a movie whose data reference names another file."""
    other = write_clip(folder / "other.mp4", 5, (64, 64))
    files = []
    for name, text in HOSTILE.items():
        files.append(folder / name)
        files[-1].write_text(text.format(other=other))
    data = bytearray(other.read_bytes())
    at = data.index(b"url \x00\x00\x00\x01")  # ISO 14496-12, 8.7.2: the data is in this file
    data[at : at + 8] = b"alis\x00\x00\x00\x00"
    files.append(folder / "reference.mov")
    files[-1].write_bytes(data)
    (folder / "frame-0%d.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    files.append(folder / "frame-0%d.png")
    return files


def test_lists_of_other_files_are_refused(tmp_path: Path) -> None:
    files = hostile_files(tmp_path)
    for file in files[: len(HOSTILE)]:
        with pytest.raises(VideoError) as caught:
            open_source(file)
        assert "\n" not in str(caught.value)
    with pytest.raises(VideoError, match=r"is a concat script .* Score the videos that it lists"):
        open_source(tmp_path / "concat.mp4")
    with pytest.raises(VideoError, match="is a playlist, not a video"):
        open_source(tmp_path / "list.mp4")


@pytest.mark.program("strace")
def test_no_other_file_and_no_address_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    files = hostile_files(folder)
    trace = tmp_path / "trace"
    strace = shutil.which("strace") or "strace"
    calls = "trace=open,openat,connect,socket"
    done = subprocess.run(
        [strace, "-f", "-e", calls, "-o", trace, sys.executable, "-c", OPEN_ALL, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    if "MARK" not in done.stdout and "ptrace" in done.stderr.lower():
        pytest.skip("processes may not be traced here")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    names = [file.name for file in folder.iterdir()]
    opened = {name for line in lines for name in names if f"/{name}" in line}
    assert "other.mp4" not in opened
    assert opened <= {file.name for file in files}
    assert not [line for line in lines if "AF_INET" in line]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("https:/example.org/a.mp4", "Pass a URL as text, not as a Path"),
        ("file:///videos/a%20b.mp4", r"without 'file:', for example '/videos/a b.mp4'"),
        ("file:a.mp4", r"without 'file:', for example 'a.mp4'"),
        ("frame-%04d.png", "If it is a pattern of images, add --as-sequence"),
        ("*.jpg", "No file matches this pattern"),
        ("gone.mp4", "Check the path"),
    ],
)
def test_names_that_no_file_has(name: str, says: str) -> None:
    with pytest.raises(VideoError, match=rf"There is no file .*{says}"):
        open_source(name)


@pytest.mark.skipif(os.name == "nt", reason="it is a path there")
def test_windows_paths() -> None:
    with pytest.raises(VideoError, match="This is a Windows path"):
        open_source(r"C:\videos\a.mp4")


@pytest.mark.parametrize(
    ("suffix", "says"),
    [
        (".mpd", "a streaming manifest, not a video"),
        (".m4s", "one segment of a stream"),
        (".m3u8", "a playlist, not a video"),
    ],
)
def test_parts_of_streams(suffix: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"x" * 99)
    with pytest.raises(VideoError, match=says):
        open_source(path)
