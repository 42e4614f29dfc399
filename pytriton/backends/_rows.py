"""Batches whose requests, or responses, differ in key and bytes alone (see worker_rows.h).

The first one is written in full. Of the others there are only rows of one size, which Python's
`struct` reads without looking at each field.
"""

from __future__ import annotations

import struct
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ._channel import RawAnswer, RawRequest

ROWS = 0x80000000  # set in the number of requests or responses

_BYTES = 13
_KEY = struct.Struct("<Q")
# Numbers of data types as numpy's names.
_DTYPES = {1: "?", 2: "u1", 3: "u2", 4: "u4", 5: "u8", 6: "i1", 7: "i2", 8: "i4", 9: "i8"}
_DTYPES.update({10: "f2", 11: "f4", 12: "f8"})
# Rows of tensors up to this size are views of one copy; a model that keeps one, keeps all.
_LARGEST_VIEW = 1024
_new_tuple = tuple.__new__


class RowReader:
    """Reads the rows of requests."""

    def __init__(self) -> None:
        self._forms: Dict[Tuple[int, ...], struct.Struct] = {}

    def read(self, first: RawRequest, data: memoryview) -> List[RawRequest]:
        """All requests: `first`, and those of the rows."""
        _, request_id, tensors, wanted, values, correlation, flags, timeout, trace = first
        rest = (wanted, values, correlation, flags, timeout, trace)
        requests = [first]
        append = requests.append
        if len(tensors) == 1:
            name, dtype, shape, content = tensors[0]
            found = _views(dtype, shape, len(content), data)
            if found is not None:
                for key, view in zip(*found):
                    inputs = ((name, dtype, shape, view),)
                    append(_new_tuple(RawRequest, (key, request_id, inputs, *rest)))
                return requests
        form = self._form(tuple([len(tensor[3]) for tensor in tensors]))
        if len(tensors) == 1:
            for key, content in form.iter_unpack(data):
                inputs = ((name, dtype, shape, bytearray(content)),)
                append(_new_tuple(RawRequest, (key, request_id, inputs, *rest)))
            return requests
        heads = [tensor[:3] for tensor in tensors]
        for key, *contents in form.iter_unpack(data):
            many = tuple([(*head, bytearray(one)) for head, one in zip(heads, contents)])
            append(_new_tuple(RawRequest, (key, request_id, many, *rest)))
        return requests

    def _form(self, sizes: Tuple[int, ...]) -> struct.Struct:
        form = self._forms.get(sizes)
        if form is None:
            if len(self._forms) > 64:
                self._forms.clear()
            form = self._forms[sizes] = struct.Struct("<Q" + "".join(f"{n}s" for n in sizes))
        return form


def _views(
    dtype: int, shape: Sequence[int], size: int, data: memoryview
) -> Optional[Tuple[List[int], Any]]:
    """Keys and arrays of rows of one tensor; None where they have to be read one by one."""
    if dtype not in _DTYPES or not shape or not 0 < size <= _LARGEST_VIEW:
        return None
    import numpy as np

    kind = np.dtype(_DTYPES[dtype])
    step = 8 + size  # a multiple of the item's size, as both parts are
    block = bytearray(data)
    count = len(block) // step
    keys: List[int] = np.ndarray((count,), "<u8", block, 0, (step,)).tolist()
    words = np.ndarray((count, step // kind.itemsize), kind, block)
    return keys, words[:, 8 // kind.itemsize :].reshape((count, *shape))


def write_rows(head: bytes, answers: Sequence[RawAnswer]) -> Optional[bytes]:
    """`head`, the first answer in full, and the others as rows.

    None when they differ in more, or the outputs have no fixed size.
    """
    outputs = answers[0][1]
    if not outputs:
        return None
    if any(output[1] == _BYTES for output in outputs):
        return None
    parts = [head]
    pack = _KEY.pack
    count = len(outputs)
    first = outputs[0]
    name, dtype, shape = first[0], first[1], first[2]
    for key, others, error, parameters in answers[1:]:
        if error is not None or parameters or len(others) != count:
            return None
        parts.append(pack(key))
        if count == 1:
            other = others[0]
            if other[1] != dtype or other[2] != shape or other[0] != name:
                return None
            parts.append(other[3])
            continue
        for one, other in zip(outputs, others):
            if other[1] != one[1] or other[2] != one[2] or other[0] != one[0]:
                return None
            parts.append(other[3])
    return b"".join(parts)
