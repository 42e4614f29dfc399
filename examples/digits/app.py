"""Handwritten digits: a classifier trained on scikit-learn's images, served on both protocols.

    python -m pytriton.serve examples/digits/app.py

Input ``image``: 8x8 grey values from 0 to 16. Outputs: ``digit`` and the ten ``probabilities``.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from digits_data import load
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton

train_images, train_digits, test_images, test_digits = load()
classifier = LogisticRegression(max_iter=200)
classifier.fit(train_images.reshape(-1, 64) / 16, train_digits)


@batch
def classify(image: np.ndarray) -> dict[str, np.ndarray]:
    """All waiting images at once: ``[batch, 8, 8]`` in, a digit and ten probabilities each out."""
    probabilities = classifier.predict_proba(image.reshape(-1, 64) / 16)
    digit = probabilities.argmax(axis=1).astype(np.int64)
    return {"digit": digit[:, None], "probabilities": probabilities.astype(np.float32)}


triton = Triton()
triton.bind(
    model_name="digits",
    infer_func=classify,
    inputs=[Tensor(name="image", dtype=np.float32, shape=(8, 8))],
    outputs=[
        Tensor(name="digit", dtype=np.int64, shape=(1,)),
        Tensor(name="probabilities", dtype=np.float32, shape=(10,)),
    ],
    config=ModelConfig(max_batch_size=64),
)

accuracy = classifier.score(test_images.reshape(-1, 64) / 16, test_digits)
print(f"Trained on {len(train_digits)} images, {accuracy:.1%} right on {len(test_digits)} others.")

if __name__ == "__main__":
    triton.run()
    address = "" if triton.http_port == 8000 else f" http://localhost:{triton.http_port}"
    print("In another terminal, send one of those others:")
    print(f"    .venv/bin/python examples/digits/send.py 7{address}", flush=True)
    triton.serve()
