"""Random views, and videos that keep an engine busy."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dover_plugin.engines.factory import Engine
from dover_plugin.preprocessing.sampling_rule import SamplingRule
from dover_plugin.preprocessing.views import Views


def random_views(rule: SamplingRule) -> Views:
    """Views of noise, of the shapes that a model sees."""
    rng = np.random.default_rng(0)
    blank = Views.blank(rule)
    technical, aesthetic = (
        rng.integers(0, 256, view.shape, np.uint8) for view in (blank.technical, blank.aesthetic)
    )
    return Views(technical, aesthetic)


def run_videos(engine: Engine, views: Views) -> int:
    """Run as many videos as fill the passes of the engine once or twice, and return how many."""
    if engine.parallel == 1:
        engine.run(views)
        return 1
    with ThreadPoolExecutor(engine.parallel) as threads:
        return len(list(threads.map(engine.run, [views] * engine.parallel)))
