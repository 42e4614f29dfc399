"""Tells whether pytriton works on this machine, and what the machine is like."""
