"""A small protobuf reader and writer for the messages that are not hot: plain dicts by tables.

A table describes a message: field number -> Field. Unknown fields are skipped, as protobuf wants.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Field", "Table", "decode", "encode_map", "encode_text", "encode_varint"]


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        name: Key in the dict.
        kind: "text", "bytes", "int" (also bool and enum, signed), "bool", "float", "double",
            "message", "map".
        table: Of a message; of a map's entries: keys are field 1, values field 2.
        is_repeated: Value is a list.
        names: Of an enum's values.
    """

    name: str
    kind: str
    table: Mapping[int, Any] | None = None
    is_repeated: bool = False
    names: tuple[str, ...] = ()


Table = Mapping[int, Field]


def encode_varint(value: int) -> bytes:
    """An integer; negative ones as 64 bits in two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_text(number: int, value: str | bytes) -> bytes:
    """A length-delimited field; nothing when the value is empty (it is the default)."""
    data = value.encode() if isinstance(value, str) else value
    if not data:
        return b""
    return encode_varint(number << 3 | 2) + encode_varint(len(data)) + data


def encode_map(number: int, key: str, value: bytes) -> bytes:
    """One entry of a map from strings to messages."""
    entry = encode_text(1, key) + encode_varint(2 << 3 | 2) + encode_varint(len(value)) + value
    return encode_varint(number << 3 | 2) + encode_varint(len(entry)) + entry


def decode(data: bytes, table: Table) -> dict[str, Any]:
    """Reads a message.

    Args:
        data: The message.
        table: What it may hold.

    Returns:
        The fields by name; all fields that the message does not set have their defaults, those of
        messages are left out.

    Raises:
        ValueError: The bytes are no protobuf.
    """
    result: dict[str, Any] = {}
    for field in table.values():
        if field.kind == "map":
            result[field.name] = {}
        elif field.is_repeated:
            result[field.name] = []
        elif field.kind != "message":
            result[field.name] = _default(field)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _raw(data, at, tag & 7)
        known = table.get(tag >> 3)
        if known is not None:
            _store(result, known, value, tag & 7)
    return result


def _default(field: Field) -> Any:
    if field.names:
        return field.names[0]
    return {"text": "", "bytes": b"", "bool": False, "float": 0.0, "double": 0.0}.get(field.kind, 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
    raise ValueError("expected a protobuf varint of at most 10 bytes")


def _raw(data: bytes, at: int, wire: int) -> tuple[Any, int]:
    """An integer for wire type 0, else bytes."""
    if wire == 0:
        return _varint(data, at)
    if wire == 2:
        size, at = _varint(data, at)
    elif wire in (1, 5):
        size = 8 if wire == 1 else 4
    else:
        raise ValueError(f"expected a protobuf wire type, got {wire}")
    if size > len(data) - at:
        raise ValueError(f"expected a protobuf field of {size} bytes, got {len(data) - at}")
    return data[at : at + size], at + size


def _store(result: dict[str, Any], field: Field, raw: Any, wire: int) -> None:
    if field.kind == "map":
        if wire == 2 and field.table is not None:
            entry = decode(raw, field.table)
            result[field.name][entry["key"]] = entry.get("value")
    elif field.is_repeated and wire == 2 and field.kind in ("int", "bool", "float", "double"):
        result[field.name].extend(_unpack(raw, field))
    elif (wire == 0) == (field.kind in ("int", "bool")):
        value = _value(raw, field)
        if field.is_repeated:
            result[field.name].append(value)
        else:
            result[field.name] = value


def _unpack(data: bytes, field: Field) -> list[Any]:
    values = []
    at, size = 0, {"float": 4, "double": 8}.get(field.kind, 0)
    while at < len(data):
        raw: Any
        if size:
            raw, at = data[at : at + size], at + size
        else:
            raw, at = _varint(data, at)
        values.append(_value(raw, field))
    return values


def _value(raw: Any, field: Field) -> Any:
    if field.kind == "int":
        if field.names:
            return field.names[raw] if raw < len(field.names) else str(raw)
        return raw - (1 << 64) if raw >> 63 else raw
    if field.kind == "bool":
        return bool(raw)
    if field.kind == "text":
        return raw.decode("utf-8", "replace")
    if field.kind == "message":
        return decode(raw, field.table or {})
    if field.kind in ("float", "double"):
        code, size = ("<f", 4) if field.kind == "float" else ("<d", 8)
        if len(raw) != size:
            raise ValueError(f"expected a number of {size} bytes, got {len(raw)}")
        return struct.unpack(code, raw)[0]
    return raw
