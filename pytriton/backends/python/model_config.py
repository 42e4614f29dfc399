"""ModelConfig: what `auto_complete_config` completes."""

from __future__ import annotations

import json
from typing import Any, Dict, List


class ModelConfig:
    """A model's configuration, to be completed.

    Args:
        model_config: JSON text of the configuration so far.
    """

    def __init__(self, model_config: str) -> None:
        self._model_config: Dict[str, Any] = json.loads(model_config)

    def as_dict(self) -> Dict[str, Any]:
        """The configuration; changing it changes this."""
        return self._model_config

    def _name(self) -> str:
        return str(self._model_config.get("name", ""))

    def set_max_batch_size(self, max_batch_size: int) -> None:
        """Sets the largest batch size; 0: no batch dimension.

        Raises:
            ValueError: the file has a larger one.
        """
        given = self._model_config.get("max_batch_size", 0)
        if given > max_batch_size:
            raise ValueError(
                f"configuration specified max_batch_size {given}, but in auto-complete-config "
                f"function for model '{self._name()}' specified max_batch_size {max_batch_size}"
            )
        self._model_config["max_batch_size"] = max_batch_size

    def set_dynamic_batching(self) -> None:
        """Turns dynamic batching on, with its defaults.

        Raises:
            ValueError: the configuration has another scheduler.
        """
        for other in ("sequence_batching", "ensemble_scheduling"):
            if other in self._model_config:
                raise ValueError(
                    f"Configuration specified scheduling_choice as '{other}', but "
                    f"auto-complete-config function for model '{self._name()}' tries to set "
                    "scheduling_choice as 'dynamic_batching'"
                )
        self._model_config.setdefault("dynamic_batching", {})

    def set_model_transaction_policy(self, transaction_policy_dict: Dict[str, Any]) -> None:
        """Tells whether the model is decoupled: `{"decoupled": bool}`.

        Raises:
            ValueError: another property, or the file says otherwise.
        """
        for key in transaction_policy_dict:
            if key != "decoupled":
                raise ValueError(
                    "model transaction property in auto-complete-config function for model "
                    f"'{self._name()}' contains property other than 'decoupled'."
                )
        policy = self._model_config.setdefault("model_transaction_policy", {})
        if "decoupled" not in transaction_policy_dict:
            return
        wanted = transaction_policy_dict["decoupled"]
        given = policy.get("decoupled")
        if given is not None and given != wanted:
            raise ValueError(
                "trying to change decoupled property in auto-complete-config for model "
                f"'{self._name()}', which is already set to '{given}'."
            )
        policy["decoupled"] = wanted

    def add_input(self, input: Dict[str, Any]) -> None:
        """Adds an input, or completes the one of that name.

        Args:
            input: `name`, `data_type` ("TYPE_FP32"), `dims` (without the batch dimension), and
                maybe `optional`.

        Raises:
            ValueError: a property is missing or unknown, or the file says otherwise.
        """
        self._add("input", input, ("name", "data_type", "dims", "optional"))

    def add_output(self, output: Dict[str, Any]) -> None:
        """Adds an output, or completes the one of that name.

        Args:
            output: `name`, `data_type` ("TYPE_FP32"), `dims` (without the batch dimension).

        Raises:
            ValueError: a property is missing or unknown, or the file says otherwise.
        """
        self._add("output", output, ("name", "data_type", "dims"))

    def _add(self, kind: str, tensor: Dict[str, Any], allowed: Any) -> None:
        self._check_properties(kind, tensor, allowed)
        tensors: List[Dict[str, Any]] = self._model_config.setdefault(kind, [])
        for given in tensors:
            if given["name"] == tensor["name"]:
                self._complete(kind, given, tensor)
                return
        tensors.append({key: tensor[key] for key in allowed if key in tensor})

    def _check_properties(self, kind: str, tensor: Dict[str, Any], allowed: Any) -> None:
        where = f"in auto-complete-config function for model '{self._name()}'"
        if any(key not in allowed for key in tensor):
            quoted = [f"'{key}'" for key in allowed]
            names = ", ".join(quoted[:-1]) + " and " + quoted[-1]
            raise ValueError(
                f"{kind} '{tensor.get('name', '')}' {where} contains property other than {names}."
            )
        if "name" not in tensor:
            raise ValueError(f"{kind} {where} is missing 'name' property.")
        for key in ("data_type", "dims"):
            if key not in tensor:
                raise ValueError(f"{kind} '{tensor['name']}' {where} is missing '{key}' property.")

    def _complete(self, kind: str, given: Dict[str, Any], tensor: Dict[str, Any]) -> None:
        name = tensor["name"]
        data_type = given.get("data_type", "TYPE_INVALID")
        if data_type not in ("TYPE_INVALID", tensor["data_type"]):
            raise ValueError(
                f"unable to load model '{self._name()}', configuration expects datatype "
                f"{data_type} for {kind} '{name}', model provides {tensor['data_type']}"
            )
        given["data_type"] = tensor["data_type"]
        if given.get("dims") and list(given["dims"]) != list(tensor["dims"]):
            raise ValueError(
                f"model '{self._name()}', tensor '{name}': the model expects dims "
                f"{tensor['dims']} but the model configuration specifies dims {given['dims']}"
            )
        given["dims"] = tensor["dims"]
        if "optional" not in tensor:
            return
        if "optional" in given and given["optional"] != tensor["optional"]:
            raise ValueError(
                f"model '{self._name()}', tensor '{name}': the model expects optional "
                f"{tensor['optional']} but the model configuration specifies optional "
                f"{given['optional']}"
            )
        given["optional"] = tensor["optional"]


# What a model may complete; changes of anything else are dropped, as Triton does.
_COMPLETED = ("max_batch_size", "input", "output", "dynamic_batching", "model_transaction_policy")


def merge_completed(before: str, completed: ModelConfig) -> str:
    """JSON text of the configuration `before`, with what a model may complete.

    Keys that are new go along: the core, which knows them all, refuses those that there are not.
    """
    result = json.loads(before)
    for key, value in completed.as_dict().items():
        if key in _COMPLETED or key not in result:
            result[key] = value
    return json.dumps(result, ensure_ascii=False)
