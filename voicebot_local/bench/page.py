"""`--html`: the report as one file that needs nothing else, pictures inside."""

from __future__ import annotations

import base64
from html import escape

from voicebot_local.bench import wording
from voicebot_local.bench.plots import latencies_svg, waterfall_svg
from voicebot_local.bench.results import Results
from voicebot_local.bench.summary import Comparison, Summary

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --soft: #5c5c5c; --line: #ccc;
        --mark: #3b6fb6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #16181b; --soft: #a8a8a8; --line: #444; --mark: #7fa8e0; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.1rem; border-left: 4px solid var(--mark); padding: .3rem 0 .3rem 1rem; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--mark); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem 1rem .2rem 0; text-align: right; font-weight: normal; }
td { white-space: nowrap; }
thead th { font-weight: bold; white-space: nowrap; }
tbody th { text-align: left; }
th.group { font-weight: bold; padding-top: .9rem; border-bottom: 1px solid var(--line); }
img { width: 100%; min-width: 38rem; max-width: 53rem; height: auto; padding: .5rem;
      box-sizing: border-box; background: #fff; border-radius: 4px; }
footer, .note { color: var(--soft); font-size: .85rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --soft: #444; --line: #999; --mark: #3b6fb6; }
  body { max-width: none; margin: 0; font-size: 10pt; }
  .scroll { overflow: visible; } img { min-width: 0; }
  h2 { break-after: avoid; } img, tr, li { break-inside: avoid; } }
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
    parts += [
        "<h2>How long until it answers</h2>",
        _image("Latencies", latencies_svg(results), wording.latencies_in_words(summaries)),
        "<h2>Where the time of the median turn goes</h2>",
        _image("Stages", waterfall_svg(results), wording.stages_in_words(results)),
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
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _image(name: str, svg: str, what: str) -> str:
    # As data of its own, so that the names inside two pictures cannot meet.
    data = base64.b64encode(svg.encode()).decode("ascii")
    image = f'<img alt="{escape(what)}" src="data:image/svg+xml;base64,{data}">'
    return _scrolling(name, image)


def _scrolling(name: str, content: str) -> str:
    """What is wider than a narrow window: it can be reached by the keyboard, and says its name."""
    frame = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
    return f"{frame}{content}</div>"


def _table(summaries: list[Summary]) -> str:
    head = "".join(f'<th scope="col">{escape(summary.stack)}</th>' for summary in summaries)
    parts = [f"<thead><tr><td></td>{head}</tr></thead>"]
    span = len(summaries) + 1
    for group in wording.groups(summaries):
        name = escape(group.name)
        rows = [f'<tr><th class="group" colspan="{span}" scope="rowgroup">{name}</th></tr>']
        for line in group.lines:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in line.cells)
            rows.append(f'<tr><th scope="row">{escape(line.name)}</th>{cells}</tr>')
        parts.append(f"<tbody>{''.join(rows)}</tbody>")
    return _scrolling("All figures", f"<table>{''.join(parts)}</table>")


def _footer(results: Results) -> str:
    simulated = " Not in real time: the latencies mean nothing." if results.pace == "fast" else ""
    return (
        f"<footer><p>{escape(wording.circumstances(results))}{escape(simulated)}</p>"
        "<p>Voice to voice: from the user's last audible sample to the first audible sample of the "
        "reply (above −45 dBFS for 10 ms), both read off one two-channel recording. Turns that "
        "were cut off are counted and have no latency.</p></footer>"
    )
