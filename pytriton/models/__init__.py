"""PyTriton's path of what tests of decorators use; see model.py."""
