"""Sends one image that the classifier has never seen, and prints what it makes of it.

    python examples/digits/send.py [NUMBER] [URL]

Plain HTTP and JSON, so that nothing but Python is needed to see how a request looks.
"""

from __future__ import annotations

import json
import sys
import urllib.request

from digits_data import load

SHADES = " .:-=+*#%@"


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    url = sys.argv[2] if len(sys.argv) > 2 else "http://localhost:8000"
    _, _, images, digits = load()
    image, truth = images[number % len(images)], digits[number % len(images)]
    for row in image:
        print("".join(2 * SHADES[int(value * 9 / 16)] for value in row))

    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 8, 8], "data": image.tolist()}
    request = urllib.request.Request(
        f"{url}/v2/models/digits/infer", json.dumps({"inputs": [tensor]}).encode()
    )
    with urllib.request.urlopen(request) as response:
        outputs = {output["name"]: output["data"] for output in json.load(response)["outputs"]}
    digit = outputs["digit"][0]
    print(f"class {digit} ({outputs['probabilities'][digit]:.1%} sure), true label {truth}")


if __name__ == "__main__":
    main()
