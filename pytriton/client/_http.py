"""KServe v2 over HTTP with Triton's extensions: calls and what their answers mean."""

from __future__ import annotations

import base64
import functools
import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from pytriton import _plain
from pytriton.client._call import Call, InferRequest, InferTensor, Plan, Reply, remember
from pytriton.client._tensors import (
    array_of,
    array_of_list,
    places_of,
    wire_type,
    without_batch,
)
from pytriton.client.exceptions import PyTritonClientInferenceServerError

__all__ = ["HttpSpeaker"]

_HEADER_LENGTH = "inference-header-content-length"
_MAX_UNZIPPED = 1 << 31  # bytes; a small body may not become any size
JOIN_BELOW = 16 << 10  # bytes; smaller tensors are sent in one piece with what is before them


class HttpSpeaker:
    """Speaks KServe v2 over HTTP.

    Attributes:
        headers: Sent with every call.
    """

    def __init__(self, headers: Mapping[str, str], host: str = "") -> None:
        """Keeps the headers.

        Args:
            headers: Header fields for every call.
            host: For the field of that name, in plain inferences.
        """
        self._host = host
        self.headers = {name.lower(): value for name, value in headers.items()}
        self._paths: dict[tuple[str, str], str] = {}

    def server_live(self) -> Call:
        """Reads a bool."""
        return Call("GET", "/v2/health/live", self.headers, (), _is_ok)

    def server_ready(self) -> Call:
        """Reads a bool."""
        return Call("GET", "/v2/health/ready", self.headers, (), _is_ok)

    def model_ready(self, name: str, version: str) -> Call:
        """Reads a bool."""
        return Call("GET", self._path(name, version) + "/ready", self.headers, (), _is_ok)

    def server_metadata(self) -> Call:
        """Reads a dict."""
        return Call("GET", "/v2", self.headers, (), _object)

    def model_metadata(self, name: str, version: str) -> Call:
        """Reads a dict."""
        return Call("GET", self._path(name, version), self.headers, (), _object)

    def model_config(self, name: str, version: str) -> Call:
        """Reads a dict, or None."""
        return Call("GET", self._path(name, version) + "/config", self.headers, (), _config)

    def repository_index(self) -> Call:
        """Reads a list of dicts."""
        return Call("POST", "/v2/repository/index", self.headers, (), _list)

    def log_verbose_level(self) -> Call:
        """Reads an int."""
        return Call("GET", "/v2/logging", self.headers, (), _verbose_level)

    def load_model(self, name: str, config: str | None, files: Mapping[str, bytes] | None) -> Call:
        """Reads nothing."""
        parameters: dict[str, str] = {}
        if config is not None:
            parameters["config"] = config
        for path, content in (files or {}).items():
            parameters[path] = base64.b64encode(content).decode("ascii")
        body = json.dumps({"parameters": parameters} if parameters else {}).encode()
        path = f"/v2/repository/models/{quote(name, safe='')}/load"
        return Call("POST", path, self.headers, (body,), _nothing)

    def unload_model(self, name: str) -> Call:
        """Reads nothing."""
        path = f"/v2/repository/models/{quote(name, safe='')}/unload"
        return Call("POST", path, self.headers, (), _nothing)

    def register_region(self, region: Any) -> Call:
        """Reads nothing."""
        if region.kind == "system":
            wanted = {"key": region.key, "offset": region.offset, "byte_size": region.byte_size}
        else:
            handle = base64.b64encode(region.raw_handle).decode("ascii")
            wanted = {
                "raw_handle": {"b64": handle},
                "device_id": region.device_id,
                "byte_size": region.byte_size,
            }
        path = f"/v2/{region.kind}sharedmemory/region/{quote(region.name, safe='')}/register"
        return Call("POST", path, self.headers, (json.dumps(wanted).encode(),), _nothing)

    def unregister_region(self, region: Any) -> Call:
        """Reads nothing."""
        path = f"/v2/{region.kind}sharedmemory/region/{quote(region.name, safe='')}/unregister"
        return Call("POST", path, self.headers, (), _nothing)

    def infer(self, request: InferRequest) -> Call:
        """Reads outputs by name."""
        contents: list[Any] = []
        inputs = [_input(tensor, request.is_binary, contents) for tensor in request.inputs]
        head: dict[str, Any] = {"id": request.request_id} if request.request_id else {}
        if request.parameters:
            head["parameters"] = dict(request.parameters)
        head["inputs"] = inputs
        if request.output_names:
            head["outputs"] = [_output(name, request) for name in request.output_names]
        elif request.is_binary:
            head["parameters"] = {**head.get("parameters", {}), "binary_data_output": True}
        text = json.dumps(head, separators=(",", ":")).encode()
        headers = dict(self.headers)
        if contents:
            headers[_HEADER_LENGTH] = str(len(text))
        for name, value in request.headers.items():
            headers[name.lower()] = str(value)
        body = _joined(text, contents)
        if request.compression == "gzip":
            body = [gzip.compress(b"".join(body), compresslevel=1)]
            headers["content-encoding"] = headers["accept-encoding"] = "gzip"
        path = self._path(request.model_name, request.model_version) + "/infer"
        return Call("POST", path, headers, body, _read)

    def infer_plainly(
        self, plan: Plan, number: int, named: dict[str, Any], is_sample: bool
    ) -> Call | None:
        """As infer, for numeric arrays and no extras; None: not for these arrays."""
        made = plan.made(named, is_sample, self._made_plainly)
        if made is None:
            return None
        form, read = made
        return Call("POST", "", self.headers, (), read, form.write(number, named.values()))

    def _made_plainly(
        self, plan: Plan, named: Mapping[str, np.ndarray[Any, Any]], is_sample: bool
    ) -> tuple[_plain.HttpForm, _plain.HttpReader]:
        """The form of such requests, and what reads their replies."""
        inputs = [
            {
                "name": name,
                "shape": array.shape,
                "datatype": wire_type(array, name),
                "parameters": {"binary_data_size": array.nbytes},
            }
            for name, array in named.items()
        ]
        body: dict[str, Any] = {"inputs": inputs}
        if plan.output_names:
            body["outputs"] = [
                {"name": name, "parameters": {"binary_data": True}} for name in plan.output_names
            ]
        else:
            body["parameters"] = {"binary_data_output": True}
        text = json.dumps(body, separators=(",", ":")).encode()[:-1] + b',"id":"'
        path = self._path(plan.model_name, plan.model_version)
        lines = [f"POST {path}/infer HTTP/1.1", f"host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append("inference-header-content-length: ")
        head = "\r\n".join(lines).encode("latin-1", "replace")
        form = _plain.HttpForm(head, text, [array.nbytes for array in named.values()])
        if not is_sample:
            return form, _read
        careful = functools.partial(_read_sample, plan.model_name)
        return form, _plain.HttpReader(_KNOWN, True, careful)

    def _path(self, name: str, version: str) -> str:
        key = (name, version)
        path = self._paths.get(key)
        if path is None:
            path = f"/v2/models/{quote(name, safe='')}"
            if version:
                path += f"/versions/{quote(version, safe='')}"
            self._paths[key] = path
        return path


def _joined(text: bytes, contents: list[Any]) -> list[Any]:
    """Few buffers: small tensors are copied behind the text, large ones are sent in place."""
    parts: list[Any] = []
    small = [text]
    for content in contents:
        view = memoryview(content)
        if view.nbytes < JOIN_BELOW:
            small.append(view.tobytes())
        else:
            parts += [b"".join(small), content]
            small = []
    if small:
        parts.append(b"".join(small))
    return parts


def _region(region: tuple[str, int, int]) -> dict[str, Any]:
    name, offset, size = region
    place: dict[str, Any] = {"shared_memory_region": name, "shared_memory_byte_size": size}
    if offset:
        place["shared_memory_offset"] = offset
    return place


def _input(tensor: InferTensor, is_binary: bool, contents: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": tensor.name,
        "shape": tensor.shape,
        "datatype": tensor.datatype,
    }
    if tensor.region is not None:
        made["parameters"] = _region(tensor.region)
    elif is_binary:
        made["parameters"] = {"binary_data_size": memoryview(tensor.contents).nbytes}
        contents.append(tensor.contents)
    else:
        values = tensor.array.ravel().tolist()
        if tensor.datatype == "BYTES":
            values = [value.decode("utf-8", "replace") for value in values]
        made["data"] = values
    return made


def _output(name: str, request: InferRequest) -> dict[str, Any]:
    if name in request.output_regions:
        return {"name": name, "parameters": _region(request.output_regions[name])}
    if request.is_binary:
        return {"name": name, "parameters": {"binary_data": True}}
    return {"name": name}


def _body_of(reply: Reply) -> Any:
    coding = reply.headers.get("content-encoding", "")
    if coding in ("", "identity"):
        return reply.body
    try:
        machine = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib
        body = machine.decompress(bytes(reply.body), _MAX_UNZIPPED)
    except zlib.error as error:
        raise PyTritonClientInferenceServerError(f"body in {coding}: {error}") from error
    if not machine.eof:
        raise PyTritonClientInferenceServerError(f"body in {coding} is too long or cut off")
    return body


def _parsed(data: Any) -> Any:
    try:
        return json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise PyTritonClientInferenceServerError(f"expected JSON, got: {error}") from error


def _checked(reply: Reply) -> Any:
    """The body of a good answer."""
    if 200 <= reply.status < 300:
        return _body_of(reply)
    text = bytes(_body_of(reply)).decode("utf-8", "replace")
    try:
        found = json.loads(text)["error"]
        text = found if isinstance(found, str) else json.dumps(found)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise PyTritonClientInferenceServerError(
        text or f"HTTP status {reply.status}", str(reply.status)
    )


def _is_ok(reply: Reply) -> bool:
    if reply.status in (401, 403):
        _checked(reply)
    return reply.status == 200


def _object(reply: Reply) -> Any:
    found = _parsed(_checked(reply))
    if not isinstance(found, dict):
        raise PyTritonClientInferenceServerError(f"expected a JSON object, got {type(found)}")
    return found


def _verbose_level(reply: Reply) -> int:
    return int(_object(reply).get("log_verbose_level", 0))


def _list(reply: Reply) -> Any:
    found = _parsed(_checked(reply))
    if not isinstance(found, list):
        raise PyTritonClientInferenceServerError(f"expected a JSON array, got {type(found)}")
    return found


def _nothing(reply: Reply) -> None:
    _checked(reply)


def _config(reply: Reply) -> Any:
    """None: a server that knows KServe v2 only, which has no such path."""
    if reply.status in (404, 405, 501):
        return None
    return _object(reply)


# What is known of bodies that came before, by their JSON: servers repeat themselves.
_KNOWN: dict[bytes, list[Any]] = {}


def _read_carefully(reply: Reply) -> dict[str, Any]:
    body = _checked(reply)
    end = _plain.http_end(reply.headers, body)
    return _parsed_outputs(body, end, _plain.http_key(body, end))


def _read_sample(model: str, reply: Reply) -> dict[str, Any]:
    return without_batch(_read_carefully(reply), model)


_read = _plain.HttpReader(_KNOWN, False, _read_carefully)


def _remember(key: bytes, head: dict[str, Any], outputs: dict[str, Any]) -> None:
    """Keeps what a body of numeric tensors only looks like, which was found sound."""
    described = head["outputs"]
    if head.get("parameters") or len(outputs) != len(described):
        return
    if not all((output.get("parameters") or {}).get("binary_data_size") for output in described):
        return
    places = places_of(outputs, [output["datatype"] for output in described])
    if places is not None:
        remember(_KNOWN, key, places)


def _parsed_outputs(body: Any, end: int, key: bytes | None = None) -> dict[str, Any]:
    head = _parsed(memoryview(body)[:end])
    outputs: dict[str, Any] = {}
    at = end
    try:
        for output in head.get("outputs") or ():
            name, datatype, shape = output["name"], output["datatype"], output["shape"]
            if not all(type(dim) is int for dim in shape):
                raise ValueError("expected integers in shape")
            parameters = output.get("parameters") or {}
            size = parameters.get("binary_data_size")
            if size is not None:
                if type(size) is not int or not 0 <= size <= len(body) - at:
                    raise ValueError("expected binary_data_size within the body")
                outputs[name] = array_of(body, at, at + size, datatype, shape)
                at += size
            elif "data" in output:
                outputs[name] = array_of_list(output["data"], datatype, shape)
            else:
                outputs[name] = None  # in a region
        if key is not None and outputs:
            _remember(key, head, outputs)
        return outputs
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PyTritonClientInferenceServerError(
            f"expected a response of KServe v2, got: {error!r}"
        ) from error
