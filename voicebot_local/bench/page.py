"""`--html`: the report as one file that needs nothing else, pictures inside."""

from __future__ import annotations

import base64
from html import escape

from voicebot_local.bench import wording
from voicebot_local.bench.plots import latencies_svg, waterfall_svg
from voicebot_local.bench.results import Results
from voicebot_local.bench.summary import Comparison, Summary

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.1rem; border-left: 4px solid #3b6fb6; padding: .3rem 0 .3rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem 1rem .2rem 0; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr.group th { padding-top: .9rem; border-bottom: 1px solid #ccc; }
img { max-width: 100%; height: auto; }
footer, .note { color: #666; font-size: .85rem; }
"""


def page(
    results: Results, summaries: list[Summary], comparisons: list[Comparison], title: str
) -> str:
    """The whole document. Raises ConfigError where matplotlib is not installed."""
    parts = [f"<h1>{escape(title)}</h1>"]
    for one in comparisons:
        parts.append(f'<p class="verdict">{escape(wording.verdict(one))}</p>')
    parts += [
        f'<p class="note">{escape(stack.name)} talks to {wording.HERE}: if that is '
        "scripts/fake_cloud.py, its latencies are SIMULATED.</p>"
        for stack in results.stacks
        if wording.is_here(stack)
    ]
    parts += ["<h2>How long until it answers</h2>", _image(latencies_svg(results), "Latencies")]
    parts += [
        "<h2>Where the time of the median turn goes</h2>",
        _image(waterfall_svg(results), "Stages of the median turn"),
    ]
    parts += [f"<p>{escape(wording.where_time_goes(one))}</p>" for one in comparisons]
    parts += ["<h2>All figures</h2>", _table(summaries)]
    parts += ["<h2>What it costs, and what leaves the machine</h2>", "<ul>"]
    parts += [f"<li>{escape(wording.what_it_costs(one))}</li>" for one in summaries]
    parts += [f"<li>{escape(wording.what_leaves(stack))}</li>" for stack in results.stacks]
    parts.append("</ul>")
    parts.append(_footer(results))
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _image(svg: str, what: str) -> str:
    # As data of its own, so that the names inside two pictures cannot meet.
    data = base64.b64encode(svg.encode()).decode("ascii")
    return f'<p><img alt="{escape(what)}" src="data:image/svg+xml;base64,{data}"></p>'


def _table(summaries: list[Summary]) -> str:
    head = "".join(f"<th>{escape(summary.stack)}</th>" for summary in summaries)
    rows = [f"<tr><th></th>{head}</tr>"]
    for group in wording.groups(summaries):
        span = len(summaries) + 1
        rows.append(f'<tr class="group"><th colspan="{span}">{escape(group.name)}</th></tr>')
        for line in group.lines:
            if set(line.cells) != {wording.NOTHING}:
                cells = "".join(f"<td>{escape(cell)}</td>" for cell in line.cells)
                rows.append(f"<tr><td>{escape(line.name)}</td>{cells}</tr>")
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>'


def _footer(results: Results) -> str:
    simulated = " Not in real time: the latencies mean nothing." if results.pace == "fast" else ""
    return (
        f"<footer><p>{escape(wording.circumstances(results))}{escape(simulated)}</p>"
        "<p>Voice to voice: from the user's last audible sample to the first audible sample of the "
        "reply (above −45 dBFS for 10 ms), both read off one two-channel recording. Turns that "
        "were cut off are counted and have no latency.</p></footer>"
    )
