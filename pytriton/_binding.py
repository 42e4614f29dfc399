"""What the core asks about a bound model: its configuration, conversions, errors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

from pytriton._callables import ARRAYS, Instance, make_instance
from pytriton._datatypes import wire_type
from pytriton._model_context import begin_serving, serving
from pytriton._placement import HOST, Placement
from pytriton._signatures import check_arguments
from pytriton.exceptions import (
    PyTritonBadParameterError,
    PyTritonUnrecoverableError,
    PyTritonValidationError,
)
from pytriton.model_config.common import DeviceKind, DynamicBatcher, QueuePolicy, TimeoutAction
from pytriton.model_config.generator import check_priorities
from pytriton.model_config.model_config import ModelConfig
from pytriton.model_config.tensor import Tensor, device_of
from pytriton.model_config.triton_model_config import ResponseCache, TensorSpec, TritonModelConfig
from pytriton.proxy.types import Request
from pytriton.proxy.validators import TritonResultsValidator

if TYPE_CHECKING:
    from pytriton._core import Server

LOGGER = logging.getLogger("pytriton.proxy.inference")

# The parameter of a model's configuration that names its group.
EXCLUSIVE_GROUP = "exclusive_group"

OnFatal = Callable[[BaseException], None]


def model_config_of(
    name: str,
    version: int,
    tensors: tuple[Sequence[Tensor], Sequence[Tensor]],
    config: ModelConfig,
    instances: int,
) -> TritonModelConfig:
    """The complete configuration of a model that `Triton.bind` was called for.

    Args:
        name: Model name.
        version: Model version.
        tensors: Inputs and outputs.
        config: Batching and answers.
        instances: Number of callables.
    """
    return TritonModelConfig(
        model_name=name,
        model_version=version,
        max_batch_size=config.max_batch_size,
        batching=config.batching,
        batcher=config.batcher,
        instance_group={config.instance_kind: instances},
        decoupled=config.decoupled,
        backend_parameters=(
            {EXCLUSIVE_GROUP: config.exclusive_group} if config.exclusive_group else {}
        ),
        inputs=_specs(tensors[0], "INPUT"),
        outputs=_specs(tensors[1], "OUTPUT"),
        response_cache=ResponseCache(enable=True) if config.response_cache else None,
        model_warmup=config.model_warmup,
    )


def _specs(tensors: Sequence[Tensor], prefix: str) -> list[TensorSpec]:
    return [
        TensorSpec(
            name=tensor.name or f"{prefix}_{position}",
            shape=tuple(tensor.shape),
            dtype=tensor.dtype,
            optional=tensor.optional,
            memory=tensor.memory,
        )
        for position, tensor in enumerate(tensors, 1)
    ]


class ModelBinding:
    """One bound model: its callables and the rules for what they return.

    Attributes:
        config: Complete configuration.
        instances: One an instance.
        directory: Where workers find the callables; None: they run in this process.
    """

    def __init__(
        self,
        config: TritonModelConfig,
        functions: Sequence[Callable[..., Any]],
        strict: bool,
        on_fatal: OnFatal,
        max_concurrent_calls: int | None = None,
    ) -> None:
        """Prepares the callables.

        Args:
            config: Complete configuration.
            functions: One callable an instance.
            strict: Whether results must match the declaration exactly.
            on_fatal: Called when a callable can never work again.
            max_concurrent_calls: Most calls of one asynchronous instance at once; None: one, or
                any number when the model is decoupled.

        Raises:
            PyTritonBadParameterError: The configuration contradicts itself.
            PyTritonValidationError: A function of arrays does not take the model's inputs.
        """
        self.config = config
        self._functions = list(functions)
        self.instances: list[Instance] = [
            make_instance(
                function,
                config.decoupled,
                config.batching,
                alone=EXCLUSIVE_GROUP in config.backend_parameters,
                limit=max_concurrent_calls,
            )
            for function in functions
        ]
        names = [spec.name for spec in config.inputs or ()]
        for instance in self.instances:
            if instance.form == ARRAYS:
                check_arguments(instance.target, names)
        self._strict = strict
        self._on_fatal = on_fatal
        self._validator = TritonResultsValidator(config, strict)
        self._dtypes = {
            spec.name: wire_type(spec.dtype, spec.name) for spec in config.outputs or ()
        }
        self._ordinals: dict[int, int] = {}  # by thread
        self.directory: str | None = None
        self._placement = Placement()

    def place(self, placement: Placement) -> None:
        """Tells where the callables are to run, before they are added to a server."""
        self._placement = placement

    def isolate(self, max_concurrent_calls: int | None) -> None:
        """Lets worker processes run the callables.

        Raises:
            TypeError: One can't be sent there.
            PyTritonValidationError: A tensor is of bfloat16, or wished in device memory.
        """
        if any(wire_type(s.dtype, s.name)[0] == "BF16" for s in _all_tensors(self.config)):
            raise PyTritonValidationError("isolation='process' does not carry bfloat16 tensors")
        on_device = any(device_of(spec.memory) >= 0 for spec in self.config.inputs or ())
        if on_device or self._placement.kind is DeviceKind.KIND_GPU:
            raise PyTritonValidationError("isolation='process' does not carry device memory")
        self._placement = Placement()  # KIND_AUTO is the host there
        from pytriton import _isolation

        content = _isolation.pack(self._functions, self.config, self._strict, max_concurrent_calls)
        self.directory = _isolation.write(content, self)

    def add_to(self, server: Server) -> None:
        """Adds the model to a server; returns when it is ready (or will be at start)."""
        devices = self._placement.devices(self.config.model_name, len(self.instances), server)
        config = self.to_core(devices)
        if self.directory is not None:
            server.add_isolated_model(config, self.directory)
            return
        self.warm_up(server)
        server.add_model(config, self)

    def runs_on_this_thread(self) -> bool:
        """Whether the caller is inside one of this model's callables."""
        return threading.get_ident() in self._ordinals

    def warm_up(self, server: Server) -> None:
        """Runs the model's warm-up requests, if it has any, when its exclusive group is free."""
        if not self.config.model_warmup:
            return
        group = self.config.backend_parameters.get(EXCLUSIVE_GROUP)
        if group is None:
            self._warm_up_now()
            return
        server.enter_exclusive_group(group)
        try:
            self._warm_up_now()
        finally:
            server.leave_exclusive_group(group)

    def _warm_up_now(self) -> None:
        from pytriton._warmup import warm_up

        with serving(self.config, self._functions):
            warm_up(self._functions, self.config)

    # What the core reads once.

    def to_core(self, devices: Sequence[int] | None = None) -> dict[str, Any]:
        """The configuration as plain values, placed on devices.

        Args:
            devices: One for each callable; HOST: none. None: all on the host.

        Raises:
            PyTritonBadParameterError: The configuration contradicts itself.
        """
        config = self.config
        first = devices[0] if devices else HOST
        inputs = [_tensor(spec, first) for spec in config.inputs or ()]
        on_device = [given["device"] for given in inputs if given["device"] >= 0]
        if not devices or first == HOST:
            # A model of which only inputs name a device counts as that device's.
            devices = [min(on_device, default=HOST)] * len(self.instances)
        is_on_gpu = bool(devices) and devices[0] != HOST
        config.instance_group = {
            DeviceKind.KIND_GPU if is_on_gpu else DeviceKind.KIND_CPU: len(self.instances)
        }
        if config.batching and config.max_batch_size < 1:
            raise PyTritonBadParameterError("The `max_batch_size` must be greater or equal to 1.")
        if on_device and config.model_warmup:
            raise PyTritonBadParameterError(
                "expected no model_warmup with inputs in device memory: its arrays are of the host"
            )
        if on_device and config.response_cache is not None:
            raise PyTritonBadParameterError(
                "expected inputs in host memory, because response_cache looks at their bytes, got "
                "device memory"
            )
        return {
            "name": config.model_name,
            "version": config.model_version,
            "max_batch_size": config.max_batch_size if config.batching else 0,
            "decoupled": config.decoupled,
            "strict": self._strict,
            "response_cache": config.response_cache is not None,
            "batcher": _batcher(config.batcher) if config.batching else None,
            "inputs": inputs,
            "outputs": [_tensor(spec) for spec in config.outputs or ()],
            "devices": list(devices),
            "parameters": {name: str(value) for name, value in config.backend_parameters.items()},
            "callables": [(instance.form, instance.target) for instance in self.instances],
            "request_type": Request,
            "model_config": config,
        }

    # What the core calls while it serves.

    def start_instance(self, ordinal: int) -> None:
        """First call on an instance's thread."""
        thread = threading.current_thread()
        thread.name = f"inference_handler-{ordinal}"
        self._ordinals[threading.get_ident()] = ordinal
        function = self._functions[ordinal]
        begin_serving(self.config, [function])
        calls = self.instances[ordinal].calls
        if calls is not None:
            calls.open(ordinal)
            calls.call_soon(begin_serving, self.config, [function])

    def stop_instance(self, ordinal: int) -> None:
        """Last call on an instance's thread."""
        calls = self.instances[ordinal].calls
        if calls is not None:
            calls.close()
        self._ordinals.pop(threading.get_ident(), None)

    def convert_rows(self, result: Any, rows: int) -> dict[str, Any]:
        """Checks and converts the result of a function of arrays.

        Args:
            result: What it returned.
            rows: Rows that each output must have; negative: any number.

        Raises:
            PyTritonValidationError: Another type, or another number of outputs than declared.
            ValueError: An output is not as it must be.
        """
        from pytriton.decorators import check_rows, convert_output

        outputs = convert_output(result, model_config=self.config)
        if rows >= 0:
            check_rows(outputs, rows)
        for name, value in outputs.items():
            self._validator.validate_output(name, value)
        return self._validator.convert(outputs, self._dtypes)

    def convert_list(self, results: Any, count: int) -> list[dict[str, Any]]:
        """Checks and converts the result of a function of requests.

        Raises:
            ValueError: Something is not as it must be.
        """
        responses = self._validator.validate_responses(results, count)
        return [self._validator.convert(response, self._dtypes) for response in responses]

    def describe_error(
        self, error: BaseException, ids: list[str], stream: bool
    ) -> str | tuple[str, str]:
        """Logs what a callable raised, stops the server if it must, and tells the client's text.

        Args:
            error: The exception.
            ids: Ids of the requests that fail by it.
            stream: Whether a stream is ended by it: its clients get the bare traceback.

        Returns:
            The text; or gRPC's name of a status, and the text.
        """
        import traceback

        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        name = self.config.model_name
        LOGGER.warning(
            "Exception while performing inference on model=%s requests=%s: %s",
            name,
            ",".join(text or "<id_unknown>" for text in ids),
            trace,
        )
        if isinstance(error, (PyTritonUnrecoverableError, SystemExit, KeyboardInterrupt)):
            self._on_fatal(error)
        if stream:
            return trace
        ordinal = self._ordinals.get(threading.get_ident(), 0)
        return (
            f"Failed to process the request(s) for model '{name}_0_{ordinal}', "
            f"message: TritonModelException: Model execute error: {trace}"
        )


def _all_tensors(config: TritonModelConfig) -> list[TensorSpec]:
    return [*(config.inputs or ()), *(config.outputs or ())]


def _tensor(spec: TensorSpec, placed: int = HOST) -> dict[str, Any]:
    wire, dtype = wire_type(spec.dtype, spec.name)
    follows_instance = spec.memory is None and placed != HOST and wire != "BYTES"
    device = placed if follows_instance else device_of(spec.memory)
    if wire == "BYTES" and device >= 0:
        raise PyTritonBadParameterError(
            f"Tensor `{spec.name}`: expected elements of a fixed size in device memory, got BYTES"
        )
    return {
        "name": spec.name,
        "datatype": wire,
        "dims": list(spec.shape),
        "optional": bool(spec.optional),
        "dtype": dtype,
        "device": device,
        "follows_instance": follows_instance,
    }


def _policy(policy: QueuePolicy) -> dict[str, Any]:
    return {
        "delay": policy.timeout_action is TimeoutAction.DELAY,
        "default_timeout_us": policy.default_timeout_microseconds,
        "allow_timeout_override": policy.allow_timeout_override,
        "max_queue_size": policy.max_queue_size,
    }


def _batcher(batcher: DynamicBatcher | None) -> dict[str, Any] | None:
    if batcher is None:
        return None
    check_priorities(batcher)
    default = batcher.default_queue_policy
    return {
        "preferred_batch_sizes": list(batcher.preferred_batch_size or ()),
        "max_queue_delay_us": batcher.max_queue_delay_microseconds,
        "preserve_ordering": batcher.preserve_ordering,
        "priority_levels": batcher.priority_levels,
        "default_priority_level": batcher.default_priority_level,
        "default_queue_policy": None if default is None else _policy(default),
        "priority_queue_policies": {
            level: _policy(policy)
            for level, policy in (batcher.priority_queue_policy or {}).items()
        },
    }
