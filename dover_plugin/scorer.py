"""START HERE: a video in, three scores out.

``Scorer.score`` reads in the order the data flows: open the video, draw which frames to look at,
make the two views, run the networks, calibrate.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from os import PathLike, fspath
from statistics import fmean, stdev

from dover_plugin import __version__, calibration
from dover_plugin.analysis.diagnosis import Diagnosis, diagnose
from dover_plugin.analysis.segments import Segment, SegmentScores, by_seconds
from dover_plugin.calibration import Fusion
from dover_plugin.engines.factory import Engine, make_engine
from dover_plugin.errors import DoverError, EngineError, SettingsError, VideoError
from dover_plugin.io.open import DECODERS
from dover_plugin.io.source import Video, VideoInfo
from dover_plugin.options import recorded_seed
from dover_plugin.preprocessing.sampling import CLIP_LEN, VIEW, Draw, draws
from dover_plugin.preprocessing.views import Views, stream_views
from dover_plugin.readers.pools import readers
from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews, read
from dover_plugin.scores import Failure, Maps, Raw, Result, Scores, Settings
from dover_plugin.weights import load, store
from dover_plugin.weights.registry import DEFAULT_MODEL, published

MAX_REPEATS = 20  # the views of all are held at once
READ_AHEAD = 2  # videos, or one per worker; the views of one draw are 19 MB


class Scorer:
    """Scores videos with one model on one device. It may be shared between threads.

    Args:
        model: "dover-open", "dover", "dover-mobile" or "dover++".
        device: "auto" (CUDA where there is one, else the CPU) or a torch device.
        weights: a file to use in place of the published weights.
        fusion: "matched", "reference", a calibration file, or a Calibration; by default the best
            the model has.
        seed: draw frames and fragments at random, reproducibly; None takes the centred ones.
        repeats: average this many random draws; the seed is 0 unless given.
        engine: "torch", "openvino" (CPU), "onnxruntime" (CPU, CUDA), or "auto": on a CPU OpenVINO
            where it is installed, else torch; $DOVER_ENGINE says otherwise.
        precision: "float32"; "float16" or "bfloat16" with torch on CUDA; "bfloat16" with OpenVINO.
        decoder: "auto", "decord" or "pyav".
        stream: index of the video stream in each file; None chooses the one with the most pixels
            per frame.
        deinterlace: deinterlace interlaced frames of files with FFmpeg's bwdif.
        allow_damaged: score files that are cut off or damaged, with a warning.

    Raises:
        SettingsError: a name that does not exist, or what this machine does not have.
        LicenceError: the weights would have to be downloaded and their licence is not accepted.
        WeightsError: weights that cannot be had or do not fit.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        device: str = "auto",
        *,
        weights: str | PathLike[str] | None = None,
        fusion: Fusion = None,
        seed: int | None = None,
        repeats: int = 1,
        engine: str = "auto",
        precision: str = "float32",
        decoder: str = "auto",
        stream: int | None = None,
        deinterlace: bool = False,
        allow_damaged: bool = False,
    ) -> None:
        _check_settings(seed, repeats, decoder)
        self.calibration = calibration.choose(fusion, published(model).model)
        network, sha256 = load.load_network(model, store.find(model, weights))
        self.engine: Engine = make_engine(engine, network, device, precision, sha256)
        self.decoder = decoder
        self.read_options = ReadOptions(
            decoder, recorded_seed(seed, repeats), repeats, stream, deinterlace, allow_damaged
        )
        self.settings = Settings(
            version=__version__,
            model=model,
            weights_sha256=sha256,
            device=self.engine.device,
            engine=self.engine.name,
            precision=self.engine.precision,
            fusion=self.calibration.name,
            repeats=repeats,
            seed=self.read_options.seed,
        )

    def score(self, video: Video) -> Scores:
        """Score one video.

        Args:
            video: a path, frames (T, H, W, 3) uint8 RGB, or a FrameSource.

        Raises:
            VideoError: it cannot be read, or the network's output is not a number.
            EngineError: the network could not be run.
        """
        info, views = self.read(video)
        return self.score_views(info, views)

    def score_many(
        self, videos: Iterable[Video], *, workers: int = 1, limits: Limits | None = None
    ) -> Iterator[Result]:
        """Score videos in order, reading the next ones while the networks run.

        Args:
            videos: consumed as results are taken, a few ahead.
            workers: threads that read videos; more than one pays beside a GPU, which leaves the
                cores to them.
            limits: read files in processes with these limits instead; a file that crashes its
                decoder, hangs or exhausts memory is then a Failure.

        Yields:
            Scores, or a Failure for a video that has none; one per video, in order.

        Raises:
            EngineError: the network could not be run.
        """
        with readers(self.read_options, workers, limits) as submit:
            queue: deque[tuple[Video, Future[VideoViews]]] = deque()
            for video in videos:
                queue.append((video, submit(video)))
                if len(queue) > max(READ_AHEAD, workers):
                    yield self._finish(*queue.popleft())
            while queue:
                yield self._finish(*queue.popleft())

    def score_as_read(
        self, videos: Iterable[str], *, workers: int = 1, limits: Limits | None = None
    ) -> Iterator[tuple[str, Result]]:
        """Score files in the order in which they are read, so that a slow one holds up no other.

        Args:
            videos: paths, consumed as results are taken, a few ahead.
            workers: see score_many.
            limits: see score_many.

        Yields:
            Each path and its result.

        Raises:
            EngineError: the network could not be run.
        """
        pending: dict[Future[VideoViews], str] = {}

        def finished() -> Iterator[tuple[str, Result]]:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                path = pending.pop(future)
                yield path, self._finish(path, future)

        with readers(self.read_options, workers, limits) as submit:
            for path in videos:
                pending[submit(path)] = path
                if len(pending) > max(READ_AHEAD, 2 * workers):
                    yield from finished()
            while pending:
                yield from finished()

    def timeline(
        self,
        video: Video,
        seconds: float = 10.0,
        *,
        segments: Sequence[Segment] | None = None,
    ) -> Iterator[SegmentScores]:
        """Score a video segment by segment, in one pass and in flat memory.

        The next segment is read while the networks run.

        Args:
            video: a path, frames (T, H, W, 3) uint8 RGB, or a FrameSource.
            seconds: length of a segment. A rest shorter than half of it joins the last one.
            segments: where they lie instead, in order of their starts; segments.cut finds them.

        Yields:
            The segments in order, each scored as a video of its length.

        Raises:
            VideoError: it cannot be read, or the network's output is not a number.
            SettingsError: no such length, or a video without a frame rate.
            EngineError: the network could not be run.
        """
        source = self.read_options.open(video)
        chosen = by_seconds(source.info, seconds) if segments is None else segments
        infos = [replace(source.info, num_frames=s.end - s.start) for s in chosen]
        choices = [(s.start, self.draws(i)) for s, i in zip(chosen, infos, strict=True)]
        made = stream_views(source, choices)
        with ThreadPoolExecutor(1, "dover-read") as pool:
            reading = pool.submit(next, made)
            for number, (segment, info) in enumerate(zip(chosen, infos, strict=True), start=1):
                views = reading.result()
                if number < len(chosen):
                    reading = pool.submit(next, made)
                yield SegmentScores.of(segment, self.score_views(info, views), source.info)

    def diagnose(
        self,
        video: Video,
        seconds: float = 10.0,
        *,
        segments: Sequence[Segment] | None = None,
    ) -> Diagnosis:
        """Say what is wrong with a video; see analysis.diagnosis.diagnose.

        Interlaced frames are diagnosed as they are stored, whatever ``deinterlace`` says.

        Raises:
            VideoError: it cannot be read.
            SettingsError: no such length, or segments that lie outside of the video.
        """
        options = self.read_options
        return diagnose(
            video,
            seconds,
            segments=segments,
            stream=options.stream,
            allow_damaged=options.allow_damaged,
        )

    def read(self, video: Video) -> VideoViews:
        """The first half of ``score``: what the networks are to look at, one Views per draw.

        Raises:
            VideoError: the video cannot be read.
        """
        return read(video, self.read_options)

    def score_views(self, info: VideoInfo, views: Sequence[Views]) -> Scores:
        """The second half of ``score``.

        Args:
            info: of the video the views are of.
            views: one per draw.

        Raises:
            VideoError: the network's output is not a number.
            EngineError: the network could not be run.
        """
        maps = [self.engine.run(view) for view in views]
        raws = [_raw(each, info.path) for each in maps]
        raw = Raw(fmean(r.technical for r in raws), fmean(r.aesthetic for r in raws))
        technical, aesthetic, overall = self.calibration.apply(*raw)
        return Scores(
            path=info.path,
            technical=technical,
            aesthetic=aesthetic,
            overall=overall,
            raw=raw,
            raw_std=_spread(raws),
            settings=self.settings,
            decoder=info.decoder,
            num_frames=info.num_frames,
            width=info.width,
            height=info.height,
            fps=info.fps,
            warnings=(*info.warnings, *self._warnings(info)),
            maps=maps[0],
        )

    def draws(self, info: VideoInfo) -> list[Draw]:
        """The samples of a video with this metadata, one per repeat."""
        seed, repeats = self.settings.seed, self.settings.repeats
        return draws(info.num_frames, info.height, info.width, seed=seed, repeats=repeats)

    def _finish(self, video: Video, reading: Future[VideoViews]) -> Result:
        try:
            return self.score_views(*reading.result())
        except (SettingsError, EngineError):  # of all videos, not of this one
            raise
        except DoverError as error:
            reason = str(error)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        path = fspath(video) if isinstance(video, str | PathLike) else None
        return Failure(path, reason, self.settings)

    def _warnings(self, info: VideoInfo) -> Iterator[str]:
        uncalibrated = calibration.warning(self.calibration, self.settings.model)
        if uncalibrated:
            yield uncalibrated
        if info.num_frames < CLIP_LEN:
            frames = "1 frame" if info.num_frames == 1 else f"{info.num_frames} frames"
            yield f"only {frames}, which the model sees repeatedly"
        if min(info.height, info.width) < VIEW:
            yield (
                f"frames of {info.width}x{info.height} are enlarged to a short side of {VIEW} "
                "before fragments are cut"
            )


def _check_settings(seed: int | None, repeats: int, decoder: str) -> None:
    if not isinstance(repeats, int) or not 1 <= repeats <= MAX_REPEATS:
        raise SettingsError(f"repeats must be from 1 to {MAX_REPEATS}, got {repeats!r}.")
    if seed is not None and (not isinstance(seed, int) or seed < 0):
        raise SettingsError(f"seed must be a whole number from 0, got {seed!r}.")
    if decoder not in DECODERS:
        raise SettingsError(f"No decoder is named {decoder!r}. Choose from {', '.join(DECODERS)}.")


def _raw(maps: Maps, path: str | None) -> Raw:
    raw = Raw(float(maps.technical.mean(dtype=float)), float(maps.aesthetic.mean(dtype=float)))
    if not all(abs(value) < float("inf") for value in raw):
        raise VideoError(
            f"The network gave {raw.technical} and {raw.aesthetic} for '{path}', which are no "
            "scores. Use precision float32, and check the weights with 'dover weights verify'."
        )
    return raw


def _spread(raws: Sequence[Raw]) -> Raw | None:
    if len(raws) == 1:
        return None
    return Raw(stdev(r.technical for r in raws), stdev(r.aesthetic for r in raws))
