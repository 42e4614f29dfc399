"""Times what a model may call while it runs; X holds how often. Y: nanoseconds of one call each."""

import time

import numpy as np
import triton_python_backend_utils as pb_utils


def nanoseconds(call, count):
    begin = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - begin) / count


class TritonPythonModel:
    def initialize(self, args):
        kinds = pb_utils.MetricFamily
        self.counters = kinds(name="bench_calls", description="calls", kind=kinds.COUNTER)
        self.gauges = kinds(name="bench_level", description="level", kind=kinds.GAUGE)
        self.counter = self.counters.Metric(labels={"model": "costs"})
        self.gauge = self.gauges.Metric(labels={"model": "costs"})

    def execute(self, requests):
        responses = []
        for request in requests:
            count = int(pb_utils.get_input_tensor_by_name(request, "X").as_numpy().flat[0])
            calls = (
                lambda: pb_utils.Logger.log_info("a line of a model"),
                lambda: pb_utils.Logger.log_verbose("a line that nobody wants"),
                lambda: self.counter.increment(1),
                lambda: self.gauge.set(3),
                request.is_cancelled,
            )
            took = np.array([[nanoseconds(call, count) for call in calls]], np.float32)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", took)]))
        return responses
