"""A scikit-learn pipeline on texts: to which topic of Python's reference a sentence belongs."""

from __future__ import annotations

from pydoc_data.topics import topics
from typing import Annotated

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton

NAMES = ["with", "import", "lambda", "while", "try", "class"]
Text = Annotated[np.ndarray, Tensor(shape=(1,), dtype=str)]
Share = Annotated[np.ndarray, Tensor(shape=(1,), dtype="float32")]

paragraphs = [(part, name) for name in NAMES for part in topics[name].split("\n\n")]
pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=500))
pipeline.fit([text for text, _ in paragraphs], [name for _, name in paragraphs])


@batch
def classify(text: Text) -> tuple[Text, Share]:
    """`[batch, 1]` texts; topics and how sure it is."""
    shares = pipeline.predict_proba([row[0].decode() for row in text])
    best = shares.argmax(axis=1)
    names = np.array([[str(pipeline.classes_[i]).encode()] for i in best], dtype=object)
    return names, shares.max(axis=1, keepdims=True).astype(np.float32)


if __name__ == "__main__":
    triton = Triton()
    triton.bind("topic", classify, config=ModelConfig(max_batch_size=64))
    triton.serve()
