"""START HERE: a video in, three scores out.

``Scorer.score`` reads in the order the data flows: open the video, draw which frames to look at,
make the two views, run the networks, calibrate.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from os import PathLike, fspath
from statistics import fmean, stdev
from typing import Unpack

from dover_plugin import __version__, calibration
from dover_plugin.analysis.diagnosis import Diagnosis, diagnose
from dover_plugin.analysis.segments import Segment, SegmentScores, by_seconds, checked
from dover_plugin.calibration import Fusion
from dover_plugin.engines.factory import Engine
from dover_plugin.engines.lazy import LazyEngine
from dover_plugin.errors import DoverError, EngineError, SettingsError
from dover_plugin.io.source import Video, VideoInfo
from dover_plugin.options import (
    FileOptions,
    check_list,
    check_names,
    check_sampling,
    check_types,
    recorded_seed,
)
from dover_plugin.preprocessing.sampling import BRANCHES, Draw, draws
from dover_plugin.preprocessing.streaming import stream_views
from dover_plugin.preprocessing.views import Views
from dover_plugin.raw_scores import over_repeats, raw_scores, warnings_of
from dover_plugin.readers.pools import as_read, finish_all, in_order, readers
from dover_plugin.readers.reading import Limits, ReadOptions, VideoViews, read
from dover_plugin.scores import SCORES, Failure, Result, Scores, Settings
from dover_plugin.text import described
from dover_plugin.weights.registry import DEFAULT_MODEL, published

READ_AHEAD = 2  # videos, or one per worker; the views of one draw are 19 MB


class Scorer:
    """Scores videos with one model on one device. It may be shared between threads.

    Args:
        model: "dover-open", "fast-vqa", "fastervqa", "fast-vqa-m", "dover", "dover-mobile" or
            "dover++".
        device: "auto" (CUDA where there is one, else the CPU), a torch device, several such as
            "cuda:0,cuda:1", or "all" CUDA devices. Batches run one video per device at a time.
        weights: a file to use in place of the published weights.
        fusion: "matched", "reference", a preset such as "evalcrafter" (see calibration.PRESETS), a
            calibration file, or a Calibration. None uses the constants of the model.
        seed: seed of random samples of frames and fragments. None uses the centred sample.
        repeats: number of random samples that are averaged; the seed is then 0 unless given.
        engine: "torch", "openvino" (CPU), "onnxruntime" (CPU, CUDA), or "auto": on a CPU OpenVINO
            where it is installed, else torch, unless $DOVER_ENGINE names an engine.
        precision: "float32"; "float16" or "bfloat16" with torch on CUDA; "bfloat16" with OpenVINO.
        branches: branches to run, such as ("technical",). The other branch is neither read nor
            kept in memory; its score and the overall score are None. None runs all branches.
        reading: how videos are opened: ``decoder``, ``stream``, ``deinterlace``,
            ``allow_damaged``, ``hdr``, ``start``, ``end``, ``as_sequence`` and ``fps``; see
            open_source.

    A scorer can be pickled: its settings travel, and the engine is built at its first use.

    Raises:
        SettingsError: a name that does not exist, or a device or engine that is not available.
        LicenseError: the weights must be downloaded and their license has not been accepted.
        WeightsError: weights that are missing, damaged, or belong to another model.

    Examples:
        >>> scorer = Scorer("dover-open", device="cpu")
        >>> scores = scorer.score("good.mp4")
        >>> f"{scores.overall:.1f} {scores.technical:.1f} {scores.aesthetic:.1f}"
        '0.6 0.6 0.6'
        >>> [scores.overall > 0.5 for scores in scorer.score_many(["good.mp4", "bad.mp4"])]
        [True, False]
        >>> scorer.score("missing.mp4")
        Traceback (most recent call last):
        dover_plugin.errors.VideoError: There is no file 'missing.mp4'. Check the path.
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
        branches: Sequence[str] | None = None,
        **reading: Unpack[FileOptions],
    ) -> None:
        check_names(reading, FileOptions, "Scorer")
        named = {"model": model, "device": device, "engine": engine, "precision": precision}
        check_types({**named, "weights": weights})
        check_sampling(seed, repeats)
        rule = published(model).sampling.only(branches, model)
        self.read_options = ReadOptions(
            **reading, seed=recorded_seed(seed, repeats), repeats=repeats, rule=rule
        )
        self.calibration = calibration.choose(fusion, published(model).model)
        self._engine = LazyEngine(model, weights, engine, device, precision, rule)
        self.settings = Settings(
            version=__version__,
            model=model,
            weights_sha256=self._engine.weights_sha256,
            device=self.engine.device,
            engine=self.engine.name,
            precision=self.engine.precision,
            branches=rule.label,
            fusion=self.calibration.name,
            repeats=repeats,
            seed=self.read_options.seed,
            reading=self.read_options.record(),
        )

    @property
    def engine(self) -> Engine:
        """The network, ready to run; a scorer that was unpickled builds it here.

        Raises:
            SettingsError: the device or engine of the scorer is not on this machine.
            WeightsError: its weights are not on this machine, or others are.
        """
        return self._engine.get()

    @property
    def present(self) -> tuple[str, ...]:
        """Names of the scores that videos get, in the order of SCORES; see Scores.present."""
        raws = (0.0 if branch in self.read_options.rule.branches else None for branch in BRANCHES)
        technical, aesthetic, overall = self.calibration.apply(*raws)
        found = {"overall": overall, "technical": technical, "aesthetic": aesthetic}
        return tuple(name for name in SCORES if found[name] is not None)

    def score(self, video: Video) -> Scores:
        """Score one video.

        Args:
            video: a path, URL, array, tensor, list of frames, bytes, binary stream or FrameSource;
                see open_source.

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
            videos: see score; consumed as results are taken, a few ahead.
            workers: threads that read videos; more than one pays beside a GPU, which leaves the
                cores to them.
            limits: read files in processes with these limits instead; a file that crashes its
                decoder, hangs or exhausts memory is then a Failure.

        Yields:
            Scores, or a Failure for a video that has none; one per video, in order.

        Raises:
            EngineError: the network could not be run.
        """
        check_list(videos)
        with readers(self.read_options, workers, limits) as submit:
            readings = in_order(videos, submit, max(READ_AHEAD, workers))
            for _, result in finish_all(readings, self._finish, self.engine.parallel):
                yield result

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
        check_list(videos)
        with readers(self.read_options, workers, limits) as submit:
            readings = as_read(videos, submit, max(READ_AHEAD, 2 * workers))
            yield from finish_all(readings, self._finish, self.engine.parallel)

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
            video: see score. Frames in memory have times if the scorer has fps.
            seconds: length of a segment. A rest shorter than half of it joins the last one.
            segments: where they lie instead, in order of their starts; segments.cut finds them.

        Yields:
            The segments in order, each scored as a video of its length.

        Raises:
            VideoError: it cannot be read, or the network's output is not a number.
            SettingsError: no such length, a segment outside of the video, or seconds for a video
                without a frame rate.
            EngineError: the network could not be run.

        Examples:
            >>> segments = list(Scorer(device="cpu").timeline("good.mp4", seconds=1))
            >>> [(part.start_seconds, part.end_seconds) for part in segments]
            [(0.0, 1.0), (1.0, 2.0)]
            >>> segments[0].scores.overall > 0.5
            True
        """
        source = self.read_options.open(video)
        info = source.info
        chosen = by_seconds(info, seconds) if segments is None else checked(segments, info)
        infos = [replace(info, num_frames=s.end - s.start) for s in chosen]
        choices = [(s.start, self.draws(i)) for s, i in zip(chosen, infos, strict=True)]
        made = stream_views(source, choices)
        with ThreadPoolExecutor(1, "dover-read") as pool:
            reading = pool.submit(next, made)
            for number, segment in enumerate(chosen, start=1):
                views = reading.result()
                # Reading may have added warnings.
                info = replace(source.info, num_frames=segment.end - segment.start)
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
        """Detect distortions in a video, with the read options of this scorer.

        See analysis.diagnosis.diagnose. Interlaced frames are diagnosed as they are stored,
        whatever ``deinterlace`` says.

        Raises:
            VideoError: it cannot be read.
            SettingsError: no such length, or segments that lie outside of the video.
        """
        return diagnose(self.read_options.open(video), seconds, segments=segments)

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
            SettingsError: the views were read with another seed or number of repeats.
        """
        settings = self._settings_of(info)
        maps = [self.engine.run(view) for view in views]
        raws = [raw_scores(each, info.path) for each in maps]
        raw = over_repeats(fmean, raws)
        technical, aesthetic, overall = self.calibration.apply(*raw)
        part = views[0].parts.get("technical")
        return Scores(
            path=info.path,
            technical=technical,
            aesthetic=aesthetic,
            overall=overall,
            raw=raw,
            raw_std=over_repeats(stdev, raws) if len(raws) > 1 else None,
            settings=settings,
            decoder=info.decoder,
            num_frames=info.num_frames,
            width=info.width,
            height=info.height,
            fps=info.fps,
            warnings=(*info.warnings, *warnings_of(info, settings, self.calibration, part)),
            maps=replace(maps[0], parts=views[0].parts),
            info=info,
        )

    def _settings_of(self, info: VideoInfo) -> Settings:
        """The settings of a score, which state how this video was read."""
        how = info.options
        if isinstance(how, ReadOptions) and (how.seed, how.repeats, how.rule) != (
            self.settings.seed,
            self.settings.repeats,
            self.read_options.rule,
        ):
            raise SettingsError(
                f"'{info.path}' was read with seed {how.seed} and {how.repeats} repeats, and the "
                f"scorer has {self.settings.seed} and {self.settings.repeats}, or its model sees "
                "other frames or branches. Pass scorer.read_options to read."
            )
        return replace(self.settings, reading=how.record()) if how else self.settings

    def draws(self, info: VideoInfo) -> list[Draw]:
        """The samples of a video with this metadata, one per repeat."""
        seed, repeats = self.settings.seed, self.settings.repeats
        rule = self.read_options.rule
        return draws(
            info.num_frames, info.height, info.width, seed=seed, repeats=repeats, rule=rule
        )

    def _finish(self, video: Video, reading: Future[VideoViews]) -> Result:
        try:
            return self.score_views(*reading.result())
        except (SettingsError, EngineError):  # of all videos, not of this one
            raise
        except DoverError as error:
            reason = str(error)
        except Exception as error:
            reason = described(error)
        path = fspath(video) if isinstance(video, str | PathLike) else None
        return Failure(path, reason, self.settings)
