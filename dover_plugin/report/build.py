"""What goes on the page of a timeline, of many videos, of a comparison."""

from collections.abc import Iterable, Sequence

from dover_plugin.comparison import Comparison, by_loss, knee
from dover_plugin.errors import SettingsError
from dover_plugin.report.figures import MEGABIT, differences, ladder, over_time, scatter
from dover_plugin.report.frames import moment, name_of, slide, thumbnail, thumbnails
from dover_plugin.report.page import Card, Report
from dover_plugin.scores import Result, Scores
from dover_plugin.segments import SegmentScores, time_code
from dover_plugin.timeline import SCORES, Timeline

SHOWN = 3  # worst and best segments that are pictured


def timeline_report(found: Timeline) -> Report:
    """Of one video over time.

    Raises:
        VideoError: a frame cannot be decoded.
        SettingsError: Pillow is missing.
    """
    sums = found.summary()
    ordered = found.worst(len(found.segments))
    worst, best = ordered[:SHOWN], ordered[: -SHOWN - 1 : -1]
    return Report(
        title=name_of(found.info.path),
        lead=[
            f"Overall {sums.mean:.3f} on average over {_count(len(found.segments), 'segment')}; "
            f"the worst scores {sums.minimum:.3f}"
            + (f", at {moment(ordered[0])}." if len(ordered) > 1 else ".")
        ],
        settings=found.settings,
        cards=[
            Card(
                score,
                f"{found.summary(score).mean:.3f}",
                f"worst {found.summary(score).minimum:.3f}",
            )
            for score in SCORES
        ],
        figures=[over_time(found)],
        galleries=[
            ("The worst segments", thumbnails(found.info.path, worst)),
            ("The best segments", thumbnails(found.info.path, best)),
        ]
        if len(ordered) > 1
        else [("The video", thumbnails(found.info.path, worst))],
        columns=("from", "frames", *SCORES),
        rows=[_segment_cells(part) for part in found.segments],
        warnings=found.warnings(),
        facts=_facts(found),
    )


def score_report(results: Iterable[Result]) -> Report:
    """Of many videos, the worst first.

    Raises:
        VideoError: a frame cannot be decoded.
        SettingsError: no video was scored, or Pillow is missing.
    """
    results = list(results)
    good = sorted((r for r in results if isinstance(r, Scores)), key=lambda each: each.overall)
    failed = [r for r in results if not isinstance(r, Scores)]
    if not good:
        raise SettingsError("No video was scored, so there is nothing to report.")
    mean = sum(each.overall for each in good) / len(good)
    ranks = good[0].model == "dover"
    ends = [("The lowest", good[:SHOWN])]
    if len(good) > 1:
        ends.append(("The highest", good[: -SHOWN - 1 : -1]))
    return Report(
        title=name_of(good[0].path) if len(good) == 1 else f"{len(good)} videos",
        lead=[
            f"{_count(len(good), 'video')} scored, overall {mean:.3f} on average"
            + (f"; {_count(len(failed), 'video')} could not be scored." if failed else "."),
        ],
        settings=good[0].settings,
        cards=[
            Card(score, f"{sum(getattr(each, score) for each in good) / len(good):.3f}")
            for score in SCORES
        ],
        figures=[scatter(good)] if len(good) > 1 else [],
        galleries=[(title, [thumbnail(each) for each in part]) for title, part in ends],
        columns=("video", *SCORES, *(("technical rank", "aesthetic rank") if ranks else ())),
        rows=[
            [name_of(each.path), *_numbers(each), *(_ranks(each) if ranks else ())] for each in good
        ]
        + [[name_of(each.path), each.error, *[""] * (len(SCORES) - 1)] for each in failed],
        warnings=list(dict.fromkeys(w for each in good for w in each.warnings)),
    )


def comparison_report(
    found: Sequence[Comparison], metrics: dict[str, list[list[float]]] | None = None
) -> Report:
    """Of transcodes beside their source.

    Args:
        found: of one source.
        metrics: full-reference metrics by name: of each transcode, one number a segment.

    Raises:
        VideoError: a frame cannot be decoded.
        SettingsError: Pillow is missing.
    """
    metrics = metrics or {}
    ordered = by_loss(found)
    means = {name: [sum(each) / len(each) for each in values] for name, values in metrics.items()}
    bend = knee(found)
    figures = [differences(found)]
    if len([each for each in found if each.bitrate]) > 1:
        figures.append(ladder(found, bend))
    return Report(
        title=f"{name_of(found[0].before.info.path)} and {_count(len(found), 'transcode')}",
        lead=[f"{each.sentence()}." for each in ordered],
        settings=found[0].before.settings,
        figures=figures,
        slides=[slide(each) for each in ordered],
        columns=("transcode", *SCORES, "95 % of overall", "Mbit/s", "MB", *metrics),
        rows=[
            [
                name_of(each.after.info.path) + (" (knee)" if each is bend else ""),
                *(f"{each.change(score).difference:+.3f}" for score in SCORES),
                "one segment" if each.overall.low is None else _interval(each),
                f"{each.bitrate / MEGABIT:.2f}" if each.bitrate else "",
                f"{each.size / MEGABIT:.2f}" if each.size else "",
                *(f"{values[found.index(each)]:.1f}" for values in means.values()),
            ]
            for each in ordered
        ],
        warnings=list(dict.fromkeys(w for each in found for w in each.warnings)),
        facts=_facts(found[0].before),
    )


def _segment_cells(part: SegmentScores) -> list[str]:
    start, end = part.segment
    return [moment(part), f"{start}-{end - 1}", *_numbers(part.scores)]


def _numbers(scores: Scores) -> list[str]:
    return [f"{getattr(scores, score):.3f}" for score in SCORES]


def _ranks(scores: Scores) -> list[str]:
    (name, branches), *_ = scores.ranks().items()
    return [
        f"above {branches[branch].better_than:.0f} % of {name}"
        for branch in ("technical", "aesthetic")
    ]


def _interval(found: Comparison) -> str:
    return f"{found.overall.low:+.3f} to {found.overall.high:+.3f}"


def _facts(found: Timeline) -> dict[str, str]:
    info = found.info
    seconds = info.num_frames / info.fps if info.fps else None
    return {
        "picture": f"{info.width}x{info.height}",
        "frames": f"{info.num_frames}",
        "frames per second": f"{info.fps:.3f}" if info.fps else "unknown",
        "duration": time_code(seconds) if seconds else "unknown",
        "decoder": info.decoder,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
