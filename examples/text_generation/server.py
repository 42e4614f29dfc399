"""Streams text, word by word.

The model is real and small: word trigrams, counted at the start in the language reference that
comes with Python (`pydoc_data.topics`). What it writes looks like that reference and means nothing.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Iterator
from pydoc_data.topics import topics

import numpy as np

from pytriton.model_config import ModelConfig, Tensor
from pytriton.proxy.types import Request
from pytriton.triton import Triton


class Trigrams:
    """Which words follow two others, and how often."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self.followers: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
        for i in range(len(words) - 2):
            self.followers[words[i], words[i + 1]].append(words[i + 2])
            self.followers[(words[i + 1],)].append(words[i + 2])
        self.words = words

    def next_word(self, before: list[str], chance: random.Random) -> str:
        """A word in proportion to how often it followed the last two words, or the last one."""
        for length in (2, 1):
            followers = self.followers.get(tuple(before[-length:]))
            if followers:
                return chance.choice(followers)
        return chance.choice(self.words)


model = Trigrams("\n".join(topics.values()))


def generate(requests: list[Request]) -> Iterator[list[dict[str, np.ndarray]]]:
    """One request at a time; each yield sends one word."""
    (request,) = requests
    words = request["prompt"].item().decode().split()
    chance = random.Random(int(request["seed"].item()))
    for _ in range(int(request["max_words"].item())):
        words.append(model.next_word(words, chance))
        yield [{"word": np.array([words[-1].encode()], dtype=object)}]


if __name__ == "__main__":
    triton = Triton()
    triton.bind(
        "trigrams",
        generate,
        inputs=[
            Tensor(name="prompt", shape=(1,), dtype=bytes),
            Tensor(name="max_words", shape=(1,), dtype=np.int32),
            Tensor(name="seed", shape=(1,), dtype=np.int64),
        ],
        outputs=[Tensor(name="word", shape=(1,), dtype=bytes)],
        config=ModelConfig(batching=False, decoupled=True),
    )
    triton.serve()
