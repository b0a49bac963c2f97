"""explain: words, ranks, segments, the map."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fo_helpers import execute, form, operator, problem
from PIL import Image
from test_panel import event

from dover_plugin.errors import SettingsError


def test_places_among_the_dataset(scored_once: Any) -> None:
    best = scored_once.sort_by("dover.overall", reverse=True).first()
    found = operator("explain")(scored_once, best.id)
    places = {place.name: place for place in found.places}
    assert places["overall"].percentile == pytest.approx(100 * 5 / 6)
    assert places["overall"].score == best.dover.overall
    worst_first = [moment.score for moment in found.worst_segments]
    assert worst_first == sorted(d.overall for d in best.dover_segments.detections)
    assert found.ranks == {}, "only dover has published sets"


def test_ranks_of_dover_in_the_published_sets(scored: Any) -> None:
    from dover_plugin.ranks import ranks

    sample = scored.match_tags("dover:failed", bool=False).first()
    sample.dover.model = "dover"
    sample.save()
    found = operator("explain")(scored, sample.id)
    expected = ranks("dover", sample.dover.technical_raw, sample.dover.aesthetic_raw)
    for name, branches in expected.items():
        assert found.ranks[name]["technical"] == branches["technical"].percentile
    assert len(found.ranks) == 6
    assert found.places[0].percentile == 0, "it is ranked among samples of its own model"


def test_the_operator_explains_and_draws(scored_once: Any, weights: str) -> None:
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    context = {"current_sample": sample.id}
    result = execute("explain", scored_once, {"weights": weights}, **context)
    assert f"| overall | {sample.dover.overall:.3f} |" in result["words"]
    assert f"**{Path(sample.filepath).name}**" in result["words"]
    assert "- 0:0" in result["words"], "segments have times"
    assert "**Distortions**" in result["words"]
    png = base64.b64decode(result["map"].removeprefix("data:image/png;base64,"))
    assert np.asarray(Image.open(BytesIO(png)).convert("RGB")).std() > 20
    assert (
        execute("explain", scored_once, {"map": False, "distortions": False}, **context)["map"]
        is None
    )


def test_the_map_is_of_the_weights_that_scored(
    scored_once: Any, seeded: Any, tmp_path: Any
) -> None:
    import torch

    other = {
        key: tensor * 1.001 if tensor.is_floating_point() else tensor
        for key, tensor in torch.load(seeded["dover-open"], weights_only=True).items()
    }
    torch.save(other, tmp_path / "other.pth")
    sample = scored_once.match_tags("dover:failed", bool=False).first()
    other_weights = {"weights": str(tmp_path / "other.pth")}
    result = execute("explain", scored_once, other_weights, current_sample=sample.id)
    assert "The sample was scored with other weights" in result["words"]
    assert result["map"] is None


def test_which_sample(scored_once: Any, dataset: Any) -> None:
    assert "No video is open or selected" in problem(form("explain", scored_once))
    ids = scored_once.values("id")
    assert "No video is open or selected" in problem(form("explain", scored_once, selected=ids[:2]))
    assert "problem" not in form("explain", scored_once, selected=ids[:1])
    bad = scored_once.match_tags("dover:failed").first()
    with pytest.raises(SettingsError, match="cannot be read as a video"):
        operator("explain")(scored_once, bad.id)
    with pytest.raises(SettingsError, match="has no scores"):
        operator("explain")(dataset, dataset.first().id)


def test_a_clip_is_no_video(scored_once: Any) -> None:
    clip = scored_once.to_clips("dover_segments").first()
    with_clip = execute("explain", scored_once, {}, selected=[clip.id])
    assert "Open the whole video" in with_clip["problem"]
    state: dict[str, Any] = {}
    event("on_load", scored_once, state)
    event("on_change_selected", scored_once, state, selected=[clip.id])
    assert state["timeline_layout"] is None
    clips = scored_once.to_clips("dover_segments")
    event("on_change_view", scored_once, state, view=clips)
    assert "parts of videos" in state["problem"]
    event("on_change_selected", scored_once, state, view=clips, selected=[clip.id])
    assert state["timeline_layout"] is None
