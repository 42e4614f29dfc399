"""Backends of repository models: what runs in worker processes, and what starts them."""
