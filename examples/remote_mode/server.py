"""A server without models of its own; processes on this machine attach theirs to it."""

from __future__ import annotations

import os

from pytriton.triton import Triton, TritonSecurityConfig

# Whoever may attach models needs the token; both processes read it from the same variable here.
TOKEN = os.environ.get("PYTRITON_ACCESS_TOKEN", "remote-mode-example")

if __name__ == "__main__":
    Triton(security_config=TritonSecurityConfig(access_token=TOKEN)).serve()
