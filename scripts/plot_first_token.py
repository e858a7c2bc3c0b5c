"""Draws what `voicebot-local bench --stage llm --json FILE` found: FILE... OUT.svg"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from voicebot_local.bench.first_token import curve_svg


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="one or more JSON files")
    parser.add_argument("out", type=Path, help="the picture, an SVG file")
    options = parser.parse_args()
    findings = [
        finding for file in options.results for finding in json.loads(file.read_text())["findings"]
    ]
    options.out.write_text(curve_svg(findings))


if __name__ == "__main__":
    main()
