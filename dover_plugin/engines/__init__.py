"""Inference engines: PyTorch, OpenVINO, ONNX Runtime; ONNX export; compiled graphs."""
