class TritonPythonModel:
    def initialize(self, args):
        raise RuntimeError("init bad")

    def execute(self, requests):
        return []
