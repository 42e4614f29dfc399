"""Serves ONNX models with onnxruntime, as a backend written in Python."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Tuple

import numpy as np
import triton_python_backend_utils as pb_utils
from pytriton_ort_config import ModelError, complete, model_path, ports_of, validate
from pytriton_ort_runner import Runner
from pytriton_ort_session import make_run_options, make_session, runtime_error

# The session that the configuration was completed with, by file: initialize uses it again.
_completed: Dict[str, Any] = {}

# What one request brings: inputs by name, wanted outputs.
Call = Tuple[Dict[str, Any], List[str]]


def _fail(error: Exception) -> Exception:
    return pb_utils.TritonModelException(str(error))  # type: ignore[no-any-return]


class TritonPythonModel:
    """One instance of an ONNX model."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Takes names, types and shapes from the model's file."""
        config = auto_complete_model_config.as_dict()
        if config.get("input") and config.get("output"):
            return auto_complete_model_config
        try:
            path = model_path(config, pb_utils.get_model_dir())
            session = make_session(config, path, os.path.dirname(pb_utils.get_model_dir()), None)
            complete(auto_complete_model_config, ports_of(session))
        except ModelError as error:
            raise _fail(error) from None
        _completed[path] = session
        return auto_complete_model_config

    def initialize(self, args: Dict[str, str]) -> None:
        """Loads the model and compares it with its configuration."""
        config = json.loads(args["model_config"])
        is_gpu = args["model_instance_kind"] == "GPU"
        gpu = int(args["model_instance_device_id"]) if is_gpu else None
        try:
            path = model_path(config, pb_utils.get_model_dir())
            session = None if is_gpu else _completed.pop(path, None)
            if session is None:
                model_dir = os.path.dirname(pb_utils.get_model_dir())
                session = make_session(config, path, model_dir, gpu)
            ports = ports_of(session)
            validate(config, ports)
            run_options = make_run_options(config)
        except ModelError as error:
            raise _fail(error) from None
        self._inputs = {port.name: port for port in ports.inputs}
        self._outputs = {port.name: port for port in ports.outputs}
        self._has_batch = config.get("max_batch_size", 0) > 0
        self._output_dims = {entry["name"]: entry for entry in config.get("output", [])}
        # The fast path of pytriton: outputs are made where they are sent from.
        allocate = getattr(pb_utils, "_private_allocate", None)
        self._runner = Runner(session, ports, run_options, allocate)

    def execute(self, requests: List[Any]) -> List[Any]:
        """Runs all requests at once where the model can, else one after the other."""
        responses: List[Any] = [None] * len(requests)
        calls: Dict[int, Call] = {}
        for i, request in enumerate(requests):
            try:
                calls[i] = self._read(request)
            except ModelError as error:
                code = pb_utils.TritonError.INVALID_ARG
                responses[i] = pb_utils.InferenceResponse(
                    [], pb_utils.TritonError(str(error), code)
                )
        for group in self._groups(calls):
            self._run(group, calls, responses)
        return responses

    def finalize(self) -> None:
        """Lets go of the model."""
        del self._runner

    def _read(self, request: Any) -> Call:
        inputs = {}
        for tensor in request.inputs():
            port = self._inputs[tensor.name()]
            if port.type.onnx == 16:
                array = np.frombuffer(tensor._data, np.uint16).reshape(tensor.shape())
            else:
                array = tensor.as_numpy()
            if port.type.triton == "TYPE_STRING":
                array = _decode(tensor.name(), array)
            if not port.dims:
                array = array.reshape(())
            inputs[tensor.name()] = array
        wanted = request.requested_output_names()
        return inputs, [name for name in self._outputs if name in wanted]

    def _groups(self, calls: Dict[int, Call]) -> List[List[int]]:
        """Requests that may run together: same inputs, same shapes behind the first dimension."""
        if not self._has_batch or len(calls) < 2:
            return [[i] for i in calls]
        groups: Dict[Any, List[int]] = {}
        for i, (inputs, _) in calls.items():
            key = tuple((name, array.shape[1:]) for name, array in inputs.items())
            groups.setdefault(key, []).append(i)
        return list(groups.values())

    def _run(self, group: List[int], calls: Dict[int, Call], responses: List[Any]) -> None:
        first_inputs = calls[group[0]][0]
        wanted = [name for name in self._outputs if any(name in calls[i][1] for i in group)]
        try:
            if len(group) == 1:
                inputs = first_inputs
            else:
                inputs = {
                    name: np.concatenate([calls[i][0][name] for i in group])
                    for name in first_inputs
                }
            outputs = self._runner.run(inputs, wanted) if wanted else {}
            if len(group) > 1:
                _check_rows(inputs, outputs)
        except Exception as error:
            for i in group:
                text = runtime_error(error)
                responses[i] = pb_utils.InferenceResponse([], pb_utils.TritonError(text))
            return
        start = 0
        for i in group:
            rows = len(next(iter(calls[i][0].values()))) if len(group) > 1 else 0
            tensors = []
            for name in calls[i][1]:
                array = outputs[name]
                if len(group) > 1:
                    array = array[start : start + rows]
                tensors.append(self._tensor(name, array))
            responses[i] = pb_utils.InferenceResponse(tensors)
            start += rows

    def _tensor(self, name: str, array: Any) -> Any:
        array = np.asarray(array)
        if array.ndim == 0:
            array = array.reshape(self._output_dims.get(name, {}).get("dims", []))
        if self._outputs[name].type.onnx == 16:
            return pb_utils._private_bfloat16(name, array)
        return pb_utils.Tensor(name, array)


def _check_rows(inputs: Dict[str, Any], outputs: Dict[str, Any]) -> None:
    """Raises unless every output has a row for each row of the batch."""
    rows = len(next(iter(inputs.values())))
    for name, array in outputs.items():
        if array.ndim == 0 or len(array) != rows:
            raise ModelError(
                f"expected {rows} rows in output '{name}' of a batch of {rows}, got shape "
                f"{list(array.shape)}"
            )


def _decode(name: str, array: Any) -> Any:
    texts = np.empty(array.size, dtype=np.object_)
    try:
        texts[:] = [element.decode("utf-8") for element in array.ravel()]
    except UnicodeDecodeError as error:
        raise ModelError(f"expected UTF-8 text in input '{name}', got {error}") from None
    return texts.reshape(array.shape)
