"""DOVER as a FiftyOne model, and as a source of the model zoo."""

import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from fo_helpers import ROOT

from dover_plugin import Scorer


@pytest.mark.program("ffmpeg", "ffprobe")
def test_apply_model_writes_the_cores_scores(scored: Any, weights: str) -> None:
    from fiftyone_plugin.model import DoverModel

    good = scored.match_tags("dover:failed", bool=False).limit(2)
    scorer = Scorer("dover-open", "cpu", weights=weights)
    good.apply_model(DoverModel(scorer), "quality")
    for sample in good:
        assert sample.quality_overall == scorer.score(sample.filepath).overall


@pytest.mark.program("ffmpeg", "ffprobe")
def test_the_zoo_source_is_registered_and_loaded(
    scored: Any, weights: str, tmp_path: Path, fo: Any
) -> None:
    import fiftyone.zoo as foz

    shutil.make_archive(str(tmp_path / "dover"), "zip", ROOT / "fiftyone_plugin/zoo")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        foz.register_zoo_model_source(f"http://127.0.0.1:{server.server_port}/dover.zip")
    finally:
        server.shutdown()
    assert "dover/dover-mobile" in foz.list_zoo_models()
    with pytest.raises(Exception, match="license was not accepted"):
        foz.load_zoo_model("dover/dover-mobile")
    model = foz.load_zoo_model("dover/dover-open", device="cpu")
    assert (Path(fo.config.model_zoo_dir) / "dover/dover-open.safetensors").is_file()
    assert model.media_type == "video"
    good = scored.match_tags("dover:failed", bool=False).limit(1)
    good.apply_model(model, "zoo")
    expected = Scorer("dover-open", "cpu", weights=weights).score(good.first().filepath)
    assert good.first().zoo_technical == expected.technical
