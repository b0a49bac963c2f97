"""Run an exported model with onnxruntime and NumPy only.

    dover export onnx --model dover-mobile --output dover-mobile.onnx
    python examples/onnx_alone.py dover-mobile.onnx views.npz

``views.npz`` holds the input views, (clips, 32, 224, 224, 3) uint8 RGB. Write it with:

    info, (views,) = scorer.read("clip.mp4")
    numpy.savez("views.npz", technical=views.technical, aesthetic=views.aesthetic)
"""

import json
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
facts = session.get_modelmeta().custom_metadata_map
mean, std = (np.array(json.loads(facts[name]), np.float32) for name in ("mean", "std"))

with np.load(sys.argv[2]) as views:
    inputs = {
        f"{branch}_view": np.ascontiguousarray(
            ((views[branch] - mean) / std).transpose(0, 4, 1, 2, 3)
        )
        for branch in ("technical", "aesthetic")
    }
technical, aesthetic = session.run(["technical", "aesthetic"], inputs)
print(f"{facts['model']}: technical {technical.mean():.4f}, aesthetic {aesthetic.mean():.4f} (raw)")
