"""The onnxruntime backend: a backend written in Python over the wheel `onnxruntime`.

`model.py` is imported as Triton imports a backend's own model.py: by path, under the name `model`.
It uses `triton_python_backend_utils` and its neighbours by plain names, so it also runs on Triton.
"""
