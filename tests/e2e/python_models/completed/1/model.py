"""No config.pbtxt: the model tells its configuration itself; batches are doubled."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(auto_complete_model_config):
        config = auto_complete_model_config
        config.add_input({"name": "X", "data_type": "TYPE_FP32", "dims": [-1]})
        config.add_input({"name": "S", "data_type": "TYPE_STRING", "dims": [-1], "optional": True})
        config.add_output({"name": "Y", "data_type": "TYPE_FP32", "dims": [-1]})
        config.add_output({"name": "T", "data_type": "TYPE_STRING", "dims": [-1]})
        config.set_max_batch_size(8)
        config.set_dynamic_batching()
        return config

    def execute(self, requests):
        responses = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X")
            outputs = [pb_utils.Tensor("Y", x.as_numpy() * 2)]
            s = pb_utils.get_input_tensor_by_name(request, "S")
            if s is not None:
                outputs.append(pb_utils.Tensor("T", s.as_numpy()))
            responses.append(pb_utils.InferenceResponse(output_tensors=outputs))
        return responses
