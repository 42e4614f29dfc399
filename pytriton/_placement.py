"""On which devices the instances of a bound model run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytriton.exceptions import PyTritonBadParameterError
from pytriton.model_config.common import DeviceKind
from pytriton.model_config.model_config import ModelConfig

if TYPE_CHECKING:
    from pytriton._core import Server

# What stands for the host where a device's number is expected.
HOST = -1


@dataclasses.dataclass(frozen=True)
class Placement:
    """What a model's configuration wishes.

    Attributes:
        kind: As `ModelConfig.instance_kind`.
        gpus: As `ModelConfig.gpus`; empty: all.
    """

    kind: DeviceKind = DeviceKind.KIND_CPU
    gpus: tuple[int, ...] = ()

    @classmethod
    def of(cls, name: str, config: ModelConfig) -> Placement:
        """The wish of a model.

        Raises:
            PyTritonBadParameterError: It contradicts itself.
        """
        kind, gpus = config.instance_kind, tuple(config.gpus or ())
        if not isinstance(kind, DeviceKind):
            raise PyTritonBadParameterError(
                f"instance_kind of model {name}: expected a DeviceKind, got {kind!r}"
            )
        for gpu in gpus:
            if isinstance(gpu, bool) or not isinstance(gpu, int) or gpu < 0:
                raise PyTritonBadParameterError(
                    f"gpus of model {name}: expected numbers of devices, got {gpu!r}"
                )
        if gpus and kind is DeviceKind.KIND_CPU:
            raise PyTritonBadParameterError(
                f"instance group {name}_0 of model {name} has kind KIND_CPU but specifies one or "
                "more GPUs"
            )
        return cls(kind, gpus)

    def devices(self, name: str, instances: int, server: Server) -> list[int]:
        """One device for each instance, in turn; HOST: none.

        Args:
            name: Model name.
            instances: Number of callables.
            server: It knows the GPUs.

        Raises:
            PyTritonBadParameterError: KIND_GPU is wished, and there is none or not that one.
        """
        if self.kind is DeviceKind.KIND_CPU:
            return [HOST] * instances
        count, reason = server.gpus()
        gpus = self.gpus or tuple(range(count))
        missing = [gpu for gpu in gpus if gpu >= count]
        if gpus and not missing:
            return [gpus[ordinal % len(gpus)] for ordinal in range(instances)]
        if self.kind is DeviceKind.KIND_AUTO:
            return [HOST] * instances
        group = f"instance group {name}_0 of model {name}"
        if count == 0:
            raise PyTritonBadParameterError(
                f"{group} has kind KIND_GPU but no GPUs are available: {reason}"
            )
        raise PyTritonBadParameterError(
            f"{group} specifies invalid or unsupported gpu id {missing[0]}: expected 0 to "
            f"{count - 1}"
        )
