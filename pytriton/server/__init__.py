"""Settings of tritonserver as data, for programs that write its command line."""
