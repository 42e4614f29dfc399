"""Sessions of onnxruntime: their settings from a model's configuration."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Optional

from pytriton_ort_config import ModelError

_ACCELERATORS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}


def import_runtime() -> Any:
    """The module `onnxruntime`.

    Raises:
        ModelError: the interpreter has no such package.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"expected the package 'onnxruntime' in the model's interpreter {sys.executable}, got "
            f"{type(error).__name__}: {error} (install it with: pip install onnxruntime)"
        ) from None
    return onnxruntime


def _parameters(config: Dict[str, Any]) -> Dict[str, str]:
    return {
        key: value.get("string_value", "") for key, value in config.get("parameters", {}).items()
    }


def _number(parameters: Dict[str, str], key: str) -> int:
    try:
        return int(parameters[key])
    except ValueError:
        raise ModelError(
            f"expected an integer as parameter '{key}', got '{parameters[key]}'"
        ) from None


def _options(runtime: Any, config: Dict[str, Any], model_dir: str) -> Any:
    options = runtime.SessionOptions()
    parameters = _parameters(config)
    levels = runtime.GraphOptimizationLevel
    graph = config.get("optimization", {}).get("graph")
    level = int(graph.get("level", 0)) if graph else 0
    options.graph_optimization_level = {
        -1: levels.ORT_ENABLE_BASIC,
        1: levels.ORT_ENABLE_EXTENDED,
        2: levels.ORT_DISABLE_ALL,
    }.get(level, levels.ORT_ENABLE_ALL)
    if "intra_op_thread_count" in parameters:
        options.intra_op_num_threads = _number(parameters, "intra_op_thread_count")
    if "inter_op_thread_count" in parameters:
        options.inter_op_num_threads = _number(parameters, "inter_op_thread_count")
    if "execution_mode" in parameters:
        modes = runtime.ExecutionMode
        is_parallel = _number(parameters, "execution_mode") == 1
        options.execution_mode = modes.ORT_PARALLEL if is_parallel else modes.ORT_SEQUENTIAL
    if "enable_mem_arena" in parameters:
        options.enable_cpu_mem_arena = _number(parameters, "enable_mem_arena") != 0
    if "enable_mem_pattern" in parameters:
        options.enable_mem_pattern = _number(parameters, "enable_mem_pattern") != 0
    for key in ("session.use_device_allocator_for_initializers",):
        if key in parameters:
            options.add_session_config_entry(key, parameters[key])
    for library in config.get("model_operations", {}).get("op_library_filename", ()):
        options.register_custom_ops_library(os.path.join(model_dir, library))
    return options


def _providers(runtime: Any, config: Dict[str, Any], gpu: Optional[int]) -> List[Any]:
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    wanted = []
    for kind, allowed in (("gpu", ("tensorrt", "cuda")), ("cpu", ("openvino",))):
        for accelerator in accelerators.get(f"{kind}_execution_accelerator", ()):
            name = accelerator.get("name", "")
            if name not in allowed:
                raise ModelError(f"unknown Execution Accelerator '{name}' is requested")
            if kind == "cpu" or gpu is not None:
                wanted.append(_ACCELERATORS[name])
    if gpu is not None and "CUDAExecutionProvider" not in wanted:
        wanted.append("CUDAExecutionProvider")
    available = runtime.get_available_providers()
    for provider in wanted:
        if provider not in available:
            raise ModelError(
                f"expected an onnxruntime with {provider}, got one with {', '.join(available)}"
            )
    on_host = _ACCELERATORS["openvino"]
    settings = [(name, {} if name == on_host else {"device_id": gpu}) for name in wanted]
    return [*settings, "CPUExecutionProvider"]


def make_session(config: Dict[str, Any], path: str, model_dir: str, gpu: Optional[int]) -> Any:
    """A session with the settings of the configuration, on a GPU or (None) on the host.

    Raises:
        ModelError: a setting is not possible, or the file is no ONNX model.
    """
    runtime = import_runtime()
    options = _options(runtime, config, model_dir)
    providers = _providers(runtime, config, gpu)
    try:
        return runtime.InferenceSession(path, sess_options=options, providers=providers)
    except Exception as error:
        raise ModelError(runtime_error(error)) from None


def make_run_options(config: Dict[str, Any]) -> Any:
    """Options of each run; None for the defaults."""
    shrinkage = _parameters(config).get("memory.enable_memory_arena_shrinkage")
    if not shrinkage:
        return None
    options = import_runtime().RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", shrinkage)
    return options


def runtime_error(error: Exception) -> str:
    """The text of an error of onnxruntime, as Triton's backend has it."""
    text = str(error)
    parts = text.split(" : ", 3)
    if len(parts) == 4 and parts[0] == "[ONNXRuntimeError]":
        return f"onnx runtime error {parts[1]}: {parts[3]}"
    return f"onnx runtime error: {text}"
