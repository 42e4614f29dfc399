"""KServe v2 over gRPC with Triton's extensions: calls and what their answers mean."""

from __future__ import annotations

import functools
import gzip
import struct
from collections.abc import Container, Mapping
from typing import Any, Callable

import numpy as np

from pytriton import _infer_proto, _plain
from pytriton.client._call import Call, InferRequest, InferTensor, Plan, Reply, remember
from pytriton.client._messages import (
    CONFIG_RESPONSE,
    CONTENTS,
    INDEX_RESPONSE,
    LOG_SETTINGS,
    MODEL_METADATA,
    READY,
    SERVER,
)
from pytriton.client._protobuf import Table, decode, encode_map, encode_text, encode_varint
from pytriton.client._tensors import (
    array_of,
    array_of_list,
    places_of,
    wire_type,
    without_batch,
)
from pytriton.client.exceptions import PyTritonClientInferenceServerError

__all__ = ["STATUS_NAMES", "GrpcSpeaker", "framed"]

STATUS_NAMES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)
_UNIMPLEMENTED = 12
_SERVICE = "/inference.GRPCInferenceService/"
_INFER = _SERVICE + "ModelInfer"
JOIN_BELOW = 16 << 10  # bytes; smaller tensors are sent in one piece with what is before them


class GrpcSpeaker:
    """Speaks KServe v2 over gRPC.

    Attributes:
        headers: Sent with every call.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Keeps the headers.

        Args:
            headers: Header fields for every call.
        """
        self.headers = {name.lower(): value for name, value in headers.items()}
        self._heads: dict[tuple[str, str], bytes] = {}

    def server_live(self) -> Call:
        """Reads a bool."""
        return self._call("ServerLive", b"", _reader({1: READY[1]}, "ready"))

    def server_ready(self) -> Call:
        """Reads a bool."""
        return self._call("ServerReady", b"", _reader(READY, "ready"))

    def model_ready(self, name: str, version: str) -> Call:
        """Reads a bool."""
        return self._call("ModelReady", _names(name, version), _reader(READY, "ready"))

    def server_metadata(self) -> Call:
        """Reads a dict."""
        return self._call("ServerMetadata", b"", _reader(SERVER))

    def model_metadata(self, name: str, version: str) -> Call:
        """Reads a dict."""
        return self._call("ModelMetadata", _names(name, version), _reader(MODEL_METADATA))

    def model_config(self, name: str, version: str) -> Call:
        """Reads a dict, or None."""
        return self._call("ModelConfig", _names(name, version), _config)

    def repository_index(self) -> Call:
        """Reads a list of dicts."""
        return self._call("RepositoryIndex", b"", _reader(INDEX_RESPONSE, "models"))

    def log_verbose_level(self) -> Call:
        """Reads an int."""
        return self._call("LogSettings", b"", _verbose_level)

    def load_model(self, name: str, config: str | None, files: Mapping[str, bytes] | None) -> Call:
        """Reads nothing."""
        message = encode_text(2, name)
        if config is not None:
            message += encode_map(3, "config", encode_text(3, config))
        for path, content in (files or {}).items():
            message += encode_map(3, path, encode_text(4, content))
        return self._call("RepositoryModelLoad", message, _nothing)

    def unload_model(self, name: str) -> Call:
        """Reads nothing."""
        return self._call("RepositoryModelUnload", encode_text(2, name), _nothing)

    def register_region(self, region: Any) -> Call:
        """Reads nothing."""
        message = encode_text(1, region.name)
        if region.kind == "system":
            message += encode_text(2, region.key)
            message += b"\x18" + encode_varint(region.offset)
        else:
            message += encode_text(2, region.raw_handle)
            message += b"\x18" + encode_varint(region.device_id)
        message += b"\x20" + encode_varint(region.byte_size)
        method = f"{region.kind.capitalize()}SharedMemoryRegister"
        return self._call(method, message, _nothing)

    def unregister_region(self, region: Any) -> Call:
        """Reads nothing."""
        method = f"{region.kind.capitalize()}SharedMemoryUnregister"
        return self._call(method, encode_text(1, region.name), _nothing)

    def infer(self, request: InferRequest) -> Call:
        """Reads outputs by name."""
        body = self.message(request)
        headers = self.headers_of(request)
        if request.compression == "gzip":
            headers["grpc-encoding"] = "gzip"
            packed = gzip.compress(b"".join(body)[5:], compresslevel=1)
            body = [struct.pack(">BI", 1, len(packed)), packed]
        read = functools.partial(_read_carefully, regions=request.output_regions)
        return Call("POST", _SERVICE + "ModelInfer", headers, body, read)

    def infer_plainly(
        self, plan: Plan, number: int, named: dict[str, Any], is_sample: bool
    ) -> Call | None:
        """As infer, for numeric arrays and no extras; None: not for these arrays."""
        made = plan.made(named, is_sample, self._made_plainly)
        if made is None:
            return None
        form, read = made
        if isinstance(form, _plain.GrpcForm):
            body = [form.write(number, named.values())]
        else:
            fields = form + encode_text(3, str(number))
            body = _infer_proto.frame_request(fields, list(named.values()), JOIN_BELOW)
        return Call("POST", _INFER, self.headers, body, read)

    def _made_plainly(
        self, plan: Plan, named: Mapping[str, np.ndarray[Any, Any]], is_sample: bool
    ) -> tuple[_plain.GrpcForm | bytes, _plain.GrpcReader]:
        """A form for small tensors, of large ones the fields before the id; what reads replies."""
        parts = [_names(plan.model_name, plan.model_version)]
        for name, array in named.items():
            parts.append(_input(InferTensor(name, wire_type(array, name), array.shape)))
        parts += [encode_text(6, encode_text(1, name)) for name in plan.output_names]
        fields = b"".join(parts)
        sizes = [array.nbytes for array in named.values()]
        is_small = sum(sizes) + 20 * len(sizes) < JOIN_BELOW
        form = _plain.GrpcForm(fields, sizes) if is_small else fields
        if not is_sample:
            return form, _read
        careful = functools.partial(_read_sample, plan.model_name)
        return form, _plain.GrpcReader(_KNOWN, True, careful)

    def stream(self, request: InferRequest) -> Call:
        """A call with a stream of responses; stream_outputs reads each."""
        headers = self.headers_of(request)
        return Call("POST", _SERVICE + "ModelStreamInfer", headers, self.message(request), _nothing)

    def headers_of(self, request: InferRequest) -> dict[str, str]:
        """Header fields of an inference."""
        headers = dict(self.headers)
        for name, value in request.headers.items():
            headers[name.lower()] = str(value)
        return headers

    def message(self, request: InferRequest) -> list[Any]:
        """A ModelInferRequest in its frame, as buffers."""
        key = (request.model_name, request.model_version)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = _names(*key)
        parts = [head, encode_text(3, request.request_id)]
        parts += [_parameter(4, name, value) for name, value in request.parameters.items()]
        parts += [_input(tensor) for tensor in request.inputs]
        for name in request.output_names:
            inner = encode_text(1, name)
            if name in request.output_regions:
                inner += _region(2, request.output_regions[name])
            parts.append(encode_text(6, inner))
        contents = [tensor.contents for tensor in request.inputs if tensor.region is None]
        return _infer_proto.frame_request(b"".join(parts), contents, JOIN_BELOW)

    def _call(self, method: str, message: bytes, read: Callable[[Reply], Any]) -> Call:
        return Call("POST", _SERVICE + method, self.headers, (framed(message),), read)


def framed(message: bytes) -> bytes:
    """A message in gRPC's frame."""
    return struct.pack(">BI", 0, len(message)) + message


def _names(name: str, version: str) -> bytes:
    return encode_text(1, name) + encode_text(2, version)


def _parameter(number: int, name: str, value: Any) -> bytes:
    """An entry of a map to InferParameter."""
    if isinstance(value, bool):
        inner = b"\x08" + encode_varint(int(value))
    elif isinstance(value, int):
        inner = b"\x10" + encode_varint(value)
    elif isinstance(value, float):
        inner = b"\x21" + struct.pack("<d", value)
    else:
        data = str(value).encode()
        inner = b"\x1a" + encode_varint(len(data)) + data
    return encode_map(number, name, inner)


def _region(number: int, region: tuple[str, int, int]) -> bytes:
    name, offset, size = region
    return (
        _parameter(number, "shared_memory_region", name)
        + _parameter(number, "shared_memory_byte_size", size)
        + (_parameter(number, "shared_memory_offset", offset) if offset else b"")
    )


_INPUT_HEADS: dict[tuple[str, str], bytes] = {}


def _input(tensor: InferTensor) -> bytes:
    key = (tensor.name, tensor.datatype)
    head = _INPUT_HEADS.get(key)
    if head is None:
        head = encode_text(1, tensor.name) + encode_text(2, tensor.datatype)
        remember(_INPUT_HEADS, key, head)
    parameters = _region(4, tensor.region) if tensor.region is not None else b""
    return _infer_proto.encode_input(head, tensor.shape, parameters)


def _checked(reply: Reply) -> Any:
    """The message of a good answer."""
    if reply.status != 0:
        name = STATUS_NAMES[reply.status] if reply.status < len(STATUS_NAMES) else "UNKNOWN"
        raise PyTritonClientInferenceServerError(reply.message or name, name)
    return reply.body


def _nothing(reply: Reply) -> None:
    _checked(reply)


def _reader(table: Table, key: str | None = None) -> Callable[[Reply], Any]:
    def read(reply: Reply) -> Any:
        try:
            found = decode(bytes(_checked(reply)), table)
        except ValueError as error:
            raise PyTritonClientInferenceServerError(f"bad message: {error}") from error
        return found if key is None else found[key]

    return read


_read_config = _reader(CONFIG_RESPONSE)
_read_log_settings = _reader(LOG_SETTINGS, "settings")


def _verbose_level(reply: Reply) -> int:
    setting = _read_log_settings(reply).get("log_verbose_level") or {}
    return int(setting.get("uint32_param", 0))


def _config(reply: Reply) -> Any:
    """None: a server that knows KServe v2 only, which has no such method."""
    if reply.status == _UNIMPLEMENTED:
        return None
    return _read_config(reply).get("config", {})


# What is known of responses that came before, by the description of their outputs.
_KNOWN: dict[bytes, list[Any]] = {}


def _read_and_remember(reply: Reply) -> dict[str, Any]:
    data = _checked(reply)
    outputs = _read_carefully(reply)
    key = _plain.grpc_key(data)
    if key is not None:
        described = _infer_proto.decode_response(data, False)[1][4]
        is_plain = all(not output[3] and output[4] is None for output in described)
        places = places_of(outputs, [output[1] for output in described])
        if is_plain and places is not None:
            remember(_KNOWN, key, places)
    return outputs


def _read_sample(model: str, reply: Reply) -> dict[str, Any]:
    return without_batch(_read_and_remember(reply), model)


_read = _plain.GrpcReader(_KNOWN, False, _read_and_remember)


def _read_carefully(reply: Reply, regions: Container[str] = ()) -> dict[str, Any]:
    data = _checked(reply)
    try:
        _, response = _infer_proto.decode_response(data, False)
    except ValueError as error:
        raise PyTritonClientInferenceServerError(f"bad response: {error}") from error
    return _outputs_of(data, response, regions)


def stream_outputs(data: Any, regions: Container[str] = ()) -> dict[str, Any] | None:
    """Reads one message of a stream; None: it carries nothing.

    Args:
        data: The message.
        regions: Names of the outputs that went into regions.

    Raises:
        PyTritonClientInferenceServerError: It carries an error, or is no such message.
    """
    try:
        error, response = _infer_proto.decode_response(data, True)
    except ValueError as problem:
        raise PyTritonClientInferenceServerError(f"bad response: {problem}") from problem
    if error:
        raise PyTritonClientInferenceServerError(error)
    return None if response is None else _outputs_of(data, response, regions)


def _outputs_of(data: Any, response: tuple[Any, ...], regions: Container[str]) -> dict[str, Any]:
    _, _, _, _, described, raws = response
    outputs: dict[str, Any] = {}
    spans = iter(raws)
    for name, datatype, shape, output_parameters, contents in described:
        span = next(spans, None) if contents is None else None
        # Triton does not say which outputs are elsewhere: they have an empty entry of bytes.
        if name in regions or "shared_memory_region" in output_parameters:
            outputs[name] = None
        elif contents is not None:
            outputs[name] = _typed(bytes(data[contents[0] : contents[1]]), datatype, shape)
        elif span is not None:
            outputs[name] = array_of(data, span[0], span[1], datatype, shape)
        else:
            outputs[name] = None
    return outputs


def _typed(contents: bytes, datatype: str, shape: tuple[int, ...]) -> Any:
    """A tensor in protobuf's typed fields."""
    try:
        values: Any = next((value for value in decode(contents, CONTENTS).values() if value), [])
    except ValueError as error:
        raise PyTritonClientInferenceServerError(f"bad tensor contents: {error}") from error
    return array_of_list(values, datatype, shape)
