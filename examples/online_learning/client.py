"""Teaches scikit-learn's images of digits piece by piece, and watches the answers get better."""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
digits = load_digits()
images, labels = digits.data.astype(np.float32), digits.target[:, None].astype(np.int64)
test_images, test_labels = images[-500:], labels[-500:]

with ModelClient(url, "train") as train, ModelClient(url, "predict") as predict:

    def accuracy() -> float:
        answer = predict.infer_batch(test_images)["OUTPUT_1"]
        return float((answer == test_labels).mean())

    print(f"before: {accuracy():.0%} right")
    for start in range(0, 1200, 200):
        end = start + 200
        seen = train.infer_batch(images[start:end], labels[start:end])["OUTPUT_1"][0, 0]
        print(f"after {seen} images: {accuracy():.0%} right")
