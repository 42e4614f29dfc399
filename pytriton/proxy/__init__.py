"""What callables get and give."""
