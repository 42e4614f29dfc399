from __future__ import annotations

import numpy as np
import pytest

from pytriton.decorators import batch
from pytriton.exceptions import PyTritonBadParameterError
from pytriton.model_config import Tensor
from pytriton.model_config.common import ModelWarmup, WarmupInput, generate_warmup_data

X = [Tensor(shape=(2,), dtype=np.float32, name="x")]
ZEROS = ModelWarmup("zeros", 3, {"x": WarmupInput(np.float32, (2,), zero_data=True)}, 2)


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint64, np.float16, np.float64, bytes, object]
)
def test_random_data_has_the_declared_type(dtype):
    data = generate_warmup_data(WarmupInput(dtype, (2, 3), random_data=True), 4)
    assert data.shape == (4, 2, 3)
    if dtype in (bytes, object):
        assert all(isinstance(text, bytes) and 8 <= len(text) <= 32 for text in data.flat)
    else:
        assert data.dtype == dtype


@pytest.mark.parametrize("shape", [(2,), (1, 2), (5, 2)])
def test_data_of_a_file_fills_the_batch(tmp_path, shape):
    path = tmp_path / "x.npy"
    np.save(path, np.ones(shape))
    data = generate_warmup_data(WarmupInput(np.float32, (2,), input_data_file=path), 3)
    np.testing.assert_array_equal(data, np.ones((3, 2), np.float32))


def test_data_of_a_file_with_another_shape_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((1, 5)))
    with pytest.raises(PyTritonBadParameterError, match="doesn't match expected shape"):
        generate_warmup_data(WarmupInput(np.float32, (2,), input_data_file=path), 3)


def test_an_input_must_say_what_fills_it():
    with pytest.raises(PyTritonBadParameterError, match="must be provided for warmup input"):
        generate_warmup_data(WarmupInput(np.float32, (2,)), 1)


def plain(seen):
    return lambda requests: seen.append(requests[0]["x"].shape)


def arrays(seen):
    return batch(lambda x: [seen.append(x.shape) or x])


def coroutine(seen):
    async def function(requests):
        seen.append(requests[0]["x"].shape)

    return function


def generator(seen):
    def function(requests):
        yield seen.append(requests[0]["x"].shape)

    return function


@pytest.mark.parametrize("make", [plain, arrays, coroutine, generator])
def test_every_instance_is_warmed_before_the_model_is_ready(serve, make, caplog):
    seen = []
    server = serve([make(seen), make(seen)], X, X, model_warmup=[ZEROS])
    assert seen == [(3, 2)] * 4
    assert server.http.is_model_ready("M")
    assert "failed" not in caplog.text


def test_a_warm_up_that_fails_is_logged_and_the_model_serves(serve, caplog):
    def function(requests):
        raise ZeroDivisionError("cold")

    server = serve(function, X, X, model_warmup=[ZEROS])
    assert server.http.is_model_ready("M")
    assert "Warm-up zeros of model M failed" in caplog.text
