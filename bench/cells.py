"""The cells of the benchmark, each a load and the figures it must reach."""

from __future__ import annotations

from dataclasses import dataclass

from servers import KINDS, PEER, PYTRITON, Kind

FLOATS_OF_1_MB = 131072  # in each of two tensors
FLOATS_OF_16_MB = 2097152


@dataclass(frozen=True)
class Cell:
    """One load, the same for each server.

    Attributes:
        elements: floats in each of the two inputs and outputs.
        servers: those that are measured; mosec gets the raw form of it.
        peer_times: requests per second to reach, as a multiple of PyTriton's.
        peer_p50_share: p50 not to exceed, as a share of PyTriton's.
        mosec_times: requests per second to reach, as a multiple of mosec's.
        cpu: server CPU seconds for 10,000 requests not to exceed.
    """

    name: str
    protocol: str
    concurrency: int
    elements: int = 16
    servers: tuple[Kind, ...] = (PYTRITON, PEER)
    peer_times: float | None = None
    peer_p50_share: float | None = None
    mosec_times: float | None = None
    cpu: float | None = None


CELLS = (
    Cell("gRPC c=1", "grpc", 1, peer_p50_share=1 / 20),
    Cell("gRPC c=16", "grpc", 16, peer_times=50, cpu=0.05),
    Cell("gRPC c=64", "grpc", 64, peer_times=90, cpu=0.035),
    Cell("gRPC c=256", "grpc", 256, peer_times=110, cpu=0.03),
    Cell("HTTP c=1", "http", 1, servers=KINDS, peer_p50_share=1 / 20),
    Cell("HTTP c=16", "http", 16, servers=KINDS, peer_times=30, cpu=0.12),
    Cell("HTTP c=64", "http", 64, servers=KINDS, peer_times=32, mosec_times=5, cpu=0.10),
    Cell("HTTP c=256", "http", 256, servers=KINDS, peer_times=27, mosec_times=2.2, cpu=0.10),
    Cell("gRPC 1 MB", "grpc", 1, FLOATS_OF_1_MB, KINDS, peer_times=5, mosec_times=4, cpu=7),
    Cell("HTTP 1 MB", "http", 1, FLOATS_OF_1_MB, KINDS, peer_times=6, mosec_times=4, cpu=7),
    Cell("gRPC 16 MB", "grpc", 1, FLOATS_OF_16_MB, peer_times=3),
    Cell("HTTP 16 MB", "http", 1, FLOATS_OF_16_MB, KINDS, peer_times=3),
)

START_SECONDS = 0.5
SMALL_PSS_BYTES = 60e6
GOODPUT_SHARE = 0.9
LOG_COST = 0.05
