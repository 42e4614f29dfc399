"""Tables of the gRPC messages that the clients read; numbers as in the project's .proto files."""

from __future__ import annotations

from pytriton.client._protobuf import Field, Table

__all__ = [
    "CONFIG_RESPONSE",
    "CONTENTS",
    "INDEX_RESPONSE",
    "LOG_SETTINGS",
    "MODEL_METADATA",
    "READY",
    "SERVER",
]

READY: Table = {1: Field("ready", "bool")}  # of ServerLive, ServerReady and ModelReady
SERVER: Table = {
    1: Field("name", "text"),
    2: Field("version", "text"),
    3: Field("extensions", "text", is_repeated=True),
}
_TENSOR: Table = {
    1: Field("name", "text"),
    2: Field("datatype", "text"),
    3: Field("shape", "int", is_repeated=True),
}
MODEL_METADATA: Table = {
    1: Field("name", "text"),
    2: Field("versions", "text", is_repeated=True),
    3: Field("platform", "text"),
    4: Field("inputs", "message", _TENSOR, is_repeated=True),
    5: Field("outputs", "message", _TENSOR, is_repeated=True),
}
_INDEX: Table = {
    1: Field("name", "text"),
    2: Field("version", "text"),
    3: Field("state", "text"),
    4: Field("reason", "text"),
}
INDEX_RESPONSE: Table = {1: Field("models", "message", _INDEX, is_repeated=True)}
_SETTING: Table = {
    1: Field("bool_param", "bool"),
    2: Field("uint32_param", "int"),
    3: Field("string_param", "text"),
}
LOG_SETTINGS: Table = {
    1: Field("settings", "map", {1: Field("key", "text"), 2: Field("value", "message", _SETTING)})
}
CONTENTS: Table = {  # InferTensorContents
    1: Field("bool_contents", "bool", is_repeated=True),
    2: Field("int_contents", "int", is_repeated=True),
    3: Field("int64_contents", "int", is_repeated=True),
    4: Field("uint_contents", "int", is_repeated=True),
    5: Field("uint64_contents", "int", is_repeated=True),
    6: Field("fp32_contents", "float", is_repeated=True),
    7: Field("fp64_contents", "double", is_repeated=True),
    8: Field("bytes_contents", "bytes", is_repeated=True),
}

_TYPES = tuple(
    "TYPE_" + name
    for name in (
        *("INVALID", "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32"),
        *("INT64", "FP16", "FP32", "FP64", "STRING", "BF16"),
    )
)
_POLICY: Table = {
    1: Field("timeout_action", "int", names=("REJECT", "DELAY")),
    2: Field("default_timeout_microseconds", "int"),
    3: Field("allow_timeout_override", "bool"),
    4: Field("max_queue_size", "int"),
}
_BATCHING: Table = {
    1: Field("preferred_batch_size", "int", is_repeated=True),
    2: Field("max_queue_delay_microseconds", "int"),
    3: Field("preserve_ordering", "bool"),
    4: Field("priority_levels", "int"),
    5: Field("default_priority_level", "int"),
    6: Field("default_queue_policy", "message", _POLICY),
    7: Field(
        "priority_queue_policy",
        "map",
        {1: Field("key", "int"), 2: Field("value", "message", _POLICY)},
    ),
}
_WARMUP: Table = {
    1: Field("data_type", "int", names=_TYPES),
    2: Field("dims", "int", is_repeated=True),
    3: Field("zero_data", "bool"),
    4: Field("random_data", "bool"),
    5: Field("input_data_file", "text"),
}
_CONFIG: Table = {
    1: Field("name", "text"),
    2: Field("platform", "text"),
    17: Field("backend", "text"),
    4: Field("max_batch_size", "int"),
    5: Field(
        "input",
        "message",
        {
            1: Field("name", "text"),
            2: Field("data_type", "int", names=_TYPES),
            4: Field("dims", "int", is_repeated=True),
            8: Field("optional", "bool"),
        },
        is_repeated=True,
    ),
    6: Field(
        "output",
        "message",
        {
            1: Field("name", "text"),
            2: Field("data_type", "int", names=_TYPES),
            3: Field("dims", "int", is_repeated=True),
        },
        is_repeated=True,
    ),
    7: Field(
        "instance_group",
        "message",
        {
            1: Field("name", "text"),
            2: Field("count", "int"),
            4: Field("kind", "int", names=("KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL")),
        },
        is_repeated=True,
    ),
    11: Field("dynamic_batching", "message", _BATCHING),
    14: Field(
        "parameters",
        "map",
        {
            1: Field("key", "text"),
            2: Field("value", "message", {1: Field("string_value", "text")}),
        },
    ),
    16: Field(
        "model_warmup",
        "message",
        {
            1: Field("name", "text"),
            2: Field("batch_size", "int"),
            3: Field(
                "inputs", "map", {1: Field("key", "text"), 2: Field("value", "message", _WARMUP)}
            ),
            4: Field("count", "int"),
        },
        is_repeated=True,
    ),
    19: Field("model_transaction_policy", "message", {1: Field("decoupled", "bool")}),
    24: Field("response_cache", "message", {1: Field("enable", "bool")}),
}
CONFIG_RESPONSE: Table = {1: Field("config", "message", _CONFIG)}
