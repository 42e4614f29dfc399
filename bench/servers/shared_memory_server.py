"""A model that gives back what it got; runs on pytriton and on nvidia-pytriton."""

import argparse

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig


@batch
def same(IN):
    return {"OUT": IN}


def main():
    parser = argparse.ArgumentParser()
    for name in ("http", "grpc", "metrics"):
        parser.add_argument(f"--{name}-port", type=int, required=True)
    options = parser.parse_args()
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=options.http_port,
        grpc_address="127.0.0.1",
        grpc_port=options.grpc_port,
        metrics_port=options.metrics_port,
    )
    security = TritonSecurityConfig(access_token="bench", restricted_endpoints=[])
    with Triton(config=config, security_config=security) as triton:
        triton.bind(
            "Same",
            same,
            inputs=[Tensor(name="IN", dtype=np.float32, shape=(-1,))],
            outputs=[Tensor(name="OUT", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(max_batch_size=8),
        )
        triton.serve()


if __name__ == "__main__":
    main()
