"""`triton_python_backend_utils`: what Triton's Python models import, usually as `pb_utils`.

Models probe for names with `hasattr`: the public names are those of Triton's own module.
"""

from __future__ import annotations as _annotations

import json  # noqa: F401
import struct  # noqa: F401
from typing import Any as _Any
from typing import Dict as _Dict
from typing import Optional as _Optional

import numpy as np  # noqa: F401

from .datatypes import BF16 as _BF16
from .datatypes import (  # noqa: F401
    TRITON_STRING_TO_NUMPY,
    deserialize_bytes_tensor,
    numpy_to_triton_type,
    serialize_byte_tensor,
    triton_string_to_numpy,
    triton_to_numpy_type,
)
from .errors import TritonError, TritonModelException  # noqa: F401
from .logger import Logger  # noqa: F401
from .memory import MemoryType as _MemoryType
from .memory import PreferredMemory  # noqa: F401
from .metrics import MetricFamily  # noqa: F401
from .model_config import ModelConfig  # noqa: F401
from .model_control import is_model_ready, load_model, unload_model  # noqa: F401
from .request import InferenceRequest
from .response import InferenceResponse
from .runtime import get_model_dir  # noqa: F401
from .tensor import Tensor
from .tensor import from_wire as _from_wire

TRITONSERVER_MEMORY_CPU = _MemoryType.TRITONSERVER_MEMORY_CPU
TRITONSERVER_MEMORY_GPU = _MemoryType.TRITONSERVER_MEMORY_GPU
TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = 2
TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
TRITONSERVER_REQUEST_RELEASE_ALL = 1
TRITONSERVER_REQUEST_RELEASE_RESCHEDULE = 2


def get_input_tensor_by_name(inference_request: InferenceRequest, name: str) -> _Optional[Tensor]:
    """The input of that name; None when the request has no such input."""
    for tensor in inference_request._inputs or inference_request.inputs():
        if tensor._name == name:
            return tensor
    return None


def get_output_tensor_by_name(
    inference_response: InferenceResponse, name: str
) -> _Optional[Tensor]:
    """The output of that name; None when the response has no such output."""
    for tensor in inference_response.output_tensors():
        if tensor._name == name:
            return tensor
    return None


def _by_name(model_config: _Dict[str, _Any], kind: str, name: str) -> _Optional[_Dict[str, _Any]]:
    for properties in model_config.get(kind, ()):
        if properties["name"] == name:
            found: _Dict[str, _Any] = properties
            return found
    return None


def get_input_config_by_name(
    model_config: _Dict[str, _Any], name: str
) -> _Optional[_Dict[str, _Any]]:
    """The properties of that input in a configuration (a dict); None: no such input."""
    return _by_name(model_config, "input", name)


def get_output_config_by_name(
    model_config: _Dict[str, _Any], name: str
) -> _Optional[_Dict[str, _Any]]:
    """The properties of that output in a configuration (a dict); None: no such output."""
    return _by_name(model_config, "output", name)


def using_decoupled_model_transaction_policy(model_config: _Dict[str, _Any]) -> bool:
    """Whether a configuration (a dict) makes the model decoupled."""
    return bool(model_config.get("model_transaction_policy", {}).get("decoupled", False))


def _private_bfloat16(name: str, bits: _Any) -> Tensor:
    """This server only: a BF16 tensor of the bits in a contiguous uint16 array of any shape."""
    return _from_wire(name, _BF16, bits.shape, bits)


def _private_allocate(byte_size: int) -> _Any:
    """This server only: writable bytes in the memory that responses are sent from.

    Args:
        byte_size: at least 1.

    Returns:
        A memoryview; arrays over it are sent without a copy.
    """
    from . import runtime

    return runtime.current().channel.allocate(byte_size)
