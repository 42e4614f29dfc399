"""The images: 1,797 scans of handwritten digits, 8x8 grey values from 0 to 16, split for good."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images ``[n, 8, 8]`` and digits ``[n]``, then the same for testing."""
    images, digits = load_digits().images, load_digits().target
    train, test = train_test_split(np.arange(len(digits)), test_size=0.25, random_state=0)
    return images[train], digits[train], images[test], digits[test]
