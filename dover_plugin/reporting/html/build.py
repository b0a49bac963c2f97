"""Content of the reports: timeline, scores of many videos, comparison."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

from dover_plugin.analysis.change import INTERVAL
from dover_plugin.analysis.comparison import Comparison, by_loss, knee
from dover_plugin.analysis.segments import SegmentScores, time_code
from dover_plugin.analysis.timeline import Timeline
from dover_plugin.errors import SettingsError
from dover_plugin.preprocessing.sampling import BRANCHES
from dover_plugin.reporting.comparison_tables import signed
from dover_plugin.reporting.html.figures import MEGABIT, differences, ladder, over_time, scatter
from dover_plugin.reporting.html.frames import moment, slides, thumbnail, thumbnails
from dover_plugin.reporting.html.page import Card, Report
from dover_plugin.scores import SCORES, Result, Scores
from dover_plugin.text import name_of, printable

SHOWN = 3  # worst and best segments with thumbnails


def timeline_report(found: Timeline) -> Report:
    """Report of one video over time."""
    sums = found.summary()
    ordered = found.worst(len(found.segments))
    worst, best = _ends(ordered)
    return Report(
        title=name_of(found.info.path),
        lead=[
            f"{found.present[0].capitalize()} {sums.mean:.3f} on average over "
            f"{_count(len(found.segments), 'segment')}; "
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
            for score in found.present
        ],
        figures=[over_time(found)],
        galleries=[
            ("The worst segments", thumbnails(found.info, worst)),
            ("The best segments", thumbnails(found.info, best)),
        ]
        if len(ordered) > 1
        else [("The video", thumbnails(found.info, worst))],
        columns=("from", "frames", *found.present),
        rows=[_segment_cells(part) for part in found.segments],
        warnings=found.warnings(),
        facts=_facts(found),
    )


def score_report(results: Iterable[Result]) -> Report:
    """Report of many videos, worst first.

    Raises:
        SettingsError: no video was scored.
    """
    results = list(results)
    good = sorted((r for r in results if isinstance(r, Scores)), key=lambda r: getattr(r, r.main))
    failed = [r for r in results if not isinstance(r, Scores)]
    if not good:
        raise SettingsError("The report needs at least one scored video.")
    present = good[0].present
    means = {score: fmean(getattr(each, score) for each in good) for score in present}
    ranks = good[0].model == "dover" and len(present) == len(SCORES)
    columns = ("video", *present, *(("technical rank", "aesthetic rank") if ranks else ()))
    names = Counter(name_of(each.path) for each in results)

    def shown(each: Result) -> str:  # with its folder if the name is not unique
        name = name_of(each.path)
        return name if names[name] == 1 else printable(str(each.path))

    lowest, highest = _ends(good)
    ends = [("The lowest", lowest), ("The highest", highest)] if highest else [("", lowest)]
    return Report(
        title=name_of(good[0].path) if len(good) == 1 else f"{len(good)} videos",
        lead=[
            f"{_count(len(good), 'video')} scored, {present[0]} {means[present[0]]:.3f} on average"
            + (f"; {_count(len(failed), 'video')} could not be scored." if failed else "."),
        ],
        settings=good[0].settings,
        cards=[Card(score, f"{mean:.3f}") for score, mean in means.items()],
        figures=[scatter(good)] if len(good) > 1 and len(present) == len(SCORES) else [],
        galleries=[(title, [p for each in part for p in thumbnail(each)]) for title, part in ends],
        columns=columns,
        rows=[[shown(each), *_numbers(each), *(_ranks(each) if ranks else ())] for each in good]
        + [[shown(each), printable(each.error)] + [""] * (len(columns) - 2) for each in failed],
        warnings=list(dict.fromkeys(w for each in good for w in each.warnings)),
    )


def comparison_report(found: Sequence[Comparison]) -> Report:
    """Report of transcodes and their source.

    Args:
        found: comparisons with one source, at least one.
    """
    ordered = by_loss(found)
    metrics = list(dict.fromkeys(name for each in found for name in each.metrics))
    bend = knee(found)
    figures = [differences(found)]
    if len([each for each in found if each.bitrate]) > 1:
        figures.append(ladder(found, bend))
    return Report(
        title=f"{name_of(found[0].before.info.path)} and {_count(len(found), 'transcode')}",
        lead=[f"{each.sentence()}." for each in ordered],
        settings=found[0].before.settings,
        figures=figures,
        slides=slides(ordered),
        columns=("transcode", *found[0].before.present, "95 % interval", "Mbit/s", "MB", *metrics),
        rows=[
            [
                name_of(each.after.info.path) + (" (knee)" if each is bend else ""),
                *(signed(each.change(score)) for score in found[0].before.present),
                "too few segments" if each.main.low is None else _interval(each),
                f"{each.bitrate / MEGABIT:.2f}" if each.bitrate else "",
                f"{each.size / MEGABIT:.2f}" if each.size else "",
                *(f"{fmean(each.metrics[m]):.1f}" if m in each.metrics else "" for m in metrics),
            ]
            for each in ordered
        ],
        warnings=list(dict.fromkeys(w for each in found for w in each.warnings)),
        facts={
            **_facts(found[0].before),
            "segments": f"{len(found[0].pairs)}",
            "interval": INTERVAL,
        },
    )


def _ends[T](ordered: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """The first and the last few, last one first, without duplicates."""
    shown = min(SHOWN, max(1, len(ordered) // 2))
    return ordered[:shown], ordered[: -shown - 1 : -1] if len(ordered) > 1 else []


def _segment_cells(part: SegmentScores) -> list[str]:
    start, end = part.segment
    return [moment(part), f"{start}-{end - 1}", *_numbers(part.scores)]


def _numbers(scores: Scores) -> list[str]:
    return [f"{getattr(scores, score):.3f}" for score in scores.present]


def _ranks(scores: Scores) -> list[str]:
    (name, branches), *_ = scores.ranks().items()
    return [f"percentile {branches[branch].percentile:.0f} in {name}" for branch in BRANCHES]


def _interval(found: Comparison) -> str:
    return f"{found.main.low:+.3f} to {found.main.high:+.3f}"


def _facts(found: Timeline) -> dict[str, str]:
    info = found.info
    seconds = info.duration if info.times is not None or info.fps else None
    return {
        "frame size": f"{info.width}x{info.height}",
        "frames": f"{info.num_frames}",
        "frames per second": f"{info.fps:.3f}" if info.fps else "unknown",
        "duration": time_code(seconds) if seconds else "unknown",
        "decoder": info.decoder,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
