"""Runs Triton's Python models: the host of a model and what `triton_python_backend_utils` offers.

In a worker the package is called `pytriton_worker.python`; it knows neither the package `pytriton`
nor anything else but the standard library, numpy and the channel.
"""
