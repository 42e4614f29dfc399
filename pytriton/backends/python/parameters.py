"""Parameters of requests and responses: checked once, carried as JSON text."""

from __future__ import annotations

import json
from typing import Any

from .errors import TritonModelException, type_text


def encode(parameters: Any) -> str:
    """The JSON text of `parameters`: a dict of str to bool, int or str, or None for none.

    Raises:
        TritonModelException: anything else.
    """
    if parameters is None:
        return "{}"
    if not isinstance(parameters, dict):
        raise TritonModelException(
            f"Expect parameters to have type dict, got {type_text(parameters)}"
        )
    for key, value in parameters.items():
        if not isinstance(key, str):
            raise TritonModelException(
                f"Expect parameters keys to have type str, found type {type_text(key)}"
            )
        if not isinstance(value, (bool, int, str)):
            raise TritonModelException(
                f"Expect parameters values to have type bool/int/str, found type {type_text(value)}"
            )
    return json.dumps(parameters, separators=(",", ":"))
