"""Sends one image that the classifier has never seen, and prints what it makes of it.

    python examples/digits/send.py [NUMBER] [URL]

Plain HTTP and JSON, so that nothing but Python is needed to see how a request looks. Exits with 1
when there is no answer, with 2 when the arguments can't be understood.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request

SHADES = " .:-=+*#%@"


def classify(url: str, image: list[list[float]]) -> tuple[int, float]:
    """The digit, and how sure the model is of it.

    Raises:
        OSError: The server can't be reached, or refused.
    """
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 8, 8], "data": image}
    request = urllib.request.Request(
        f"{url.rstrip('/')}/v2/models/digits/infer", json.dumps({"inputs": [tensor]}).encode()
    )
    with urllib.request.urlopen(request) as response:
        outputs = {output["name"]: output["data"] for output in json.load(response)["outputs"]}
    digit = outputs["digit"][0]
    return digit, outputs["probabilities"][digit]


def main() -> int:
    parser = argparse.ArgumentParser(description="Sends an image to the demo's classifier.")
    parser.add_argument("number", nargs="?", type=int, default=0, help="which image; 0 by default")
    parser.add_argument(
        "url",
        nargs="?",
        default="http://localhost:8000",
        help="the server's; http://localhost:8000 by default",
    )
    arguments = parser.parse_args()
    url = arguments.url if "://" in arguments.url else f"http://{arguments.url}"

    from digits_data import load  # after the arguments: it takes a second

    _, _, images, digits = load()
    image, truth = (them[arguments.number % len(images)] for them in (images, digits))
    for row in image:
        print("".join(2 * SHADES[int(value * 9 / 16)] for value in row))
    try:
        digit, sure = classify(url, image.tolist())
    except (OSError, ValueError) as error:
        print(f"no answer from {url}: {error}", file=sys.stderr)
        return 1
    print(f"class {digit} ({sure:.1%} sure), true label {truth}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
