"""Custom metrics of all kinds: X is counted, set and observed."""

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        make = pb_utils.MetricFamily
        self.families = [
            make(name="counts_total", description="what came", kind=make.COUNTER),
            make(name="counts_last", description="what came last", kind=make.GAUGE),
            make(name="counts_sizes", description="how large", kind=make.HISTOGRAM),
        ]
        counter, gauge, histogram = self.families
        self.total = counter.Metric(labels={"model": "counts", "kind": "a"})
        self.last = gauge.Metric(labels={"model": "counts"})
        self.sizes = histogram.Metric(labels={"model": "counts"}, buckets=[1, 10, 100])

    def execute(self, requests):
        responses = []
        for request in requests:
            x = request.inputs()[0].as_numpy()
            for value in x:
                self.total.increment(float(value))
                self.last.set(float(value))
                self.sizes.observe(float(value))
            y = x * 0 + self.total.value()
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]))
        return responses
