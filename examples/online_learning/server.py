"""Learns while it serves: `train` and `predict` share a classifier of handwritten digits."""

from __future__ import annotations

import threading
from typing import Annotated

import numpy as np
from sklearn.linear_model import SGDClassifier

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton

Image = Annotated[np.ndarray, Tensor(shape=(64,), dtype="float32")]
Digit = Annotated[np.ndarray, Tensor(shape=(1,), dtype="int64")]


class Learner:
    """The shared state. Each model has a thread of its own, so the lock is needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.classifier = SGDClassifier(average=True, random_state=0)
        # Known classes and weights of nothing, so that it can be asked before it has learned.
        self.classifier.partial_fit(np.zeros((10, 64)), np.arange(10), classes=np.arange(10))
        self.seen = 0

    @batch
    def train(self, image: Image, digit: Digit) -> Digit:
        """Learns from `[batch, 64]` images; answers how many it has seen."""
        with self.lock:
            self.classifier.partial_fit(image.astype(float) / 16, digit[:, 0])
            self.seen += len(image)
            return [np.full_like(digit, self.seen)]

    @batch
    def predict(self, image: Image) -> Digit:
        with self.lock:
            return [self.classifier.predict(image.astype(float) / 16)[:, None]]


if __name__ == "__main__":
    learner = Learner()
    triton = Triton()
    triton.bind("train", learner.train, config=ModelConfig(max_batch_size=256))
    triton.bind("predict", learner.predict, config=ModelConfig(max_batch_size=1024))
    triton.serve()
