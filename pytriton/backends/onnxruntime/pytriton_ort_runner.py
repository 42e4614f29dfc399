"""Runs an ONNX model: inputs where they lie, outputs where responses are sent from."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from pytriton_ort_config import Port, Ports

Arrays = Dict[str, Any]


def _address(array: Any) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


class Runner:
    """One session and how to run it; belongs to one thread.

    Args:
        session: the session.
        ports: its inputs and outputs.
        run_options: None, or options of every run.
        allocate: gives writable bytes; None: numpy's memory.
    """

    def __init__(
        self,
        session: Any,
        ports: Ports,
        run_options: Any,
        allocate: Optional[Callable[[int], Any]],
    ) -> None:
        self._session = session
        self._inputs = {port.name: port for port in ports.inputs}
        self._outputs = {port.name: port for port in ports.outputs}
        self._run_options = run_options
        self._allocate = allocate
        self._binding: Any = None
        # Outputs whose shape was not what the symbols of the model promised.
        self._unbound: set[str] = set()

    def run(self, inputs: Arrays, wanted: Sequence[str]) -> Arrays:
        """Runs the model once.

        Args:
            inputs: contiguous arrays by name; `str` objects for strings, uint16 for bfloat16.
            wanted: names of outputs.

        Returns:
            The wanted outputs; bfloat16 as uint16.

        Raises:
            Exception: what onnxruntime says.
        """
        symbols = self._symbols(inputs)
        planned = {name: self._plan(self._outputs[name], symbols) for name in wanted}
        needs_binding = any(self._inputs[name].type.onnx == 16 for name in inputs) or any(
            self._outputs[name].type.onnx == 16 for name in wanted
        )
        if not needs_binding and any(shape is None for shape in planned.values()):
            return self._run_plainly(inputs, wanted)
        try:
            return self._run_bound(inputs, planned)
        except Exception:
            # A model may promise one shape and give another: then onnxruntime refuses the memory.
            if needs_binding or self._unbound.issuperset(wanted):
                raise
            result = self._run_plainly(inputs, wanted)
            self._unbound.update(wanted)
            return result

    def _symbols(self, inputs: Arrays) -> Dict[str, int]:
        symbols: Dict[str, int] = {}
        for name, array in inputs.items():
            for dim, size in zip(self._inputs[name].dims, array.shape):
                if isinstance(dim, str):
                    symbols[dim] = size
        return symbols

    def _plan(self, port: Port, symbols: Dict[str, int]) -> Optional[Tuple[int, ...]]:
        """The shape that the output will have; None when only onnxruntime knows."""
        if port.name in self._unbound or port.type.triton == "TYPE_STRING":
            return None
        shape = [dim if isinstance(dim, int) else symbols.get(dim, -1) for dim in port.dims]
        return None if any(size <= 0 for size in shape) else tuple(shape)

    def _run_plainly(self, inputs: Arrays, wanted: Sequence[str]) -> Arrays:
        results = self._session.run(list(wanted), inputs, self._run_options)
        return dict(zip(wanted, results))

    def _make_array(self, port: Port, shape: Tuple[int, ...]) -> Any:
        dtype = port.type.dtype
        if self._allocate is None:
            return np.empty(shape, dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return np.ndarray(shape, dtype, self._allocate(size))

    def _run_bound(self, inputs: Arrays, planned: Dict[str, Optional[Tuple[int, ...]]]) -> Arrays:
        binding = self._binding
        if binding is None:
            binding = self._binding = self._session.io_binding()
        results: Arrays = {}
        try:
            for name, array in inputs.items():
                element = self._inputs[name].type
                if element.triton == "TYPE_STRING":
                    binding.bind_cpu_input(name, array)
                    continue
                kind = 16 if element.onnx == 16 else element.dtype
                binding.bind_input(name, "cpu", 0, kind, array.shape, _address(array))
            late: List[str] = []
            for name, shape in planned.items():
                port = self._outputs[name]
                if shape is None:
                    binding.bind_output(name, "cpu")
                    late.append(name)
                    continue
                result = results[name] = self._make_array(port, shape)
                kind = 16 if port.type.onnx == 16 else port.type.dtype
                binding.bind_output(name, "cpu", 0, kind, shape, _address(result))
            self._session.run_with_iobinding(binding, self._run_options)
            if late:
                values = dict(zip(planned, binding.get_outputs()))
                for name in late:
                    results[name] = values[name].numpy()
            return results
        finally:
            binding.clear_binding_inputs()
            binding.clear_binding_outputs()
