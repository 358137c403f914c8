"""The report as one HTML page: pictures and numbers are in it, and nothing is loaded from elsewhere."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path

from analysis.by_subject import Known
from analysis.figures import FIGURES
from analysis.report.overview import (
    MARKS,
    Judged,
    Row,
    Section,
    all_judged,
    counted,
    disputed,
    judged,
    rows_of,
)
from analysis.report.stage import Stage
from rig.output_file import replacing

TITLE = "Can a neuroscientist understand this rodent?"
PAPER = (
    "Merel, Aldarondo, Marshall, Tassa, Wayne and Ölveczky, “Deep neuroethology of a virtual rodent”, "
    "ICLR 2020"
)
RULE = (
    "A claim of the paper is written down as one or more numbers that are above 0 where it holds. It "
    "“agrees” where all of their 95 % intervals (simultaneous, over episodes or seeds) are above 0, "
    "“disagrees” where one is below 0, and otherwise one “cannot tell”; so always with fewer than six "
    "episodes. Where a rule was chosen after data had been seen it says so, and what another would have said."
)
COLOURS = 96
"""Of a picture in the page, so that a report of three subjects can be sent by mail."""
_STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.7rem; margin-bottom: .2rem }
h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem; font-size: 1.25rem }
img { width: 100%; height: auto }
table { border-collapse: collapse; width: 100%; font-size: .85rem; margin: .6rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid #ddd }
th { font-weight: 600 }
.verdict { white-space: nowrap }
.other { font-size: .78rem; color: #444; font-weight: 400 }
.other span { font-weight: 600 }
.overview td:first-child { width: 45% }
th.figure { border-bottom: 1px solid #888; padding-top: .9rem }
code, pre { font-size: .85rem; background: #f4f4f4; padding: .1rem .3rem }
pre { overflow-x: auto; padding: .6rem }
.agrees { color: #00674c; font-weight: 600 }
.disagrees { color: #a33c00; font-weight: 600 }
.tell { color: #555; font-weight: 600 }
.failed { background: #fbeee6; padding: .6rem .8rem }
.nothing { background: #f4f4f4; padding: .6rem .8rem }
.notes { font-size: .85rem; color: #444 }
blockquote { margin: 0; color: #333 }
summary { cursor: pointer }
a { color: #005a92 }
@media print { h2 { break-before: page; border: 0 } details { display: none } }
"""


def write_page(
    path: Path,
    sections: Sequence[Section],
    known: Mapping[str, Known],
    subjects: Sequence[str],
    left_out: Sequence[str],
) -> None:
    """Writes the page.

    Args:
        path: the HTML file.
        sections: the stages, in their order.
        known: the recordings, by path.
        subjects: the names of all.
        left_out: a sentence for each that was not used.
    """
    body = "\n".join(
        [
            *_head(sections, known, subjects),
            *(line for each in sections for line in _section(each, subjects)),
            *_recordings(known, left_out),
        ]
    )
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(TITLE)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")


def command(stage: Stage, folder: str) -> str:
    """How to make a figure again."""
    return f"rodent-rig figure {stage.name} {folder} --out {stage.name}.svg"


def _common(recordings: Iterable[str]) -> str:
    """The folder that all recordings lie in, by its name."""
    parents = {Path(path).parent for path in recordings}
    while len(parents) > 1:
        deepest = max(len(each.parts) for each in parents)
        parents = {each.parent if len(each.parts) == deepest else each for each in parents}
    folder = parents.pop()
    inside = folder.parent.name if folder.name == "recordings" else ""  # of a data set
    return f"{inside}/{folder.name}" if inside else folder.name or "DIR"


def _head(
    sections: Sequence[Section], known: Mapping[str, Known], subjects: Sequence[str]
) -> Iterator[str]:
    recorded = Counter(one.subject for one in known.values())
    listed = ", ".join(f"{name} ({n} recordings)" for name, n in recorded.items())
    claims = all_judged(sections, subjects)
    yield f"<h1>{escape(TITLE)}</h1>"
    yield f"<p>The analyses of {escape(PAPER)}, on recordings of {escape(listed)}.</p>"
    yield (
        f"<p>{escape(RULE)} Of the claims below: <strong>{escape(counted(claims))}</strong>. "
        f"{escape(disputed(claims))}</p>"
    )
    minutes = sum(each.outcome.seconds for each in sections) / 60
    peak_mb = max((each.outcome.peak_mb for each in sections), default=0.0)
    yield (
        f'<p class="notes">{len(sections)} figures, made in {minutes:.0f} minutes in sum; the hungriest held '
        f"{peak_mb:.0f} MB.</p>"
    )
    yield from _overview(sections, subjects)


def _overview(sections: Sequence[Section], subjects: Sequence[str]) -> Iterator[str]:
    columns = len(subjects)
    heads = "".join(f"<th>{escape(name)}</th>" for name in subjects)
    yield f'<table class="overview"><tr><th>the paper</th>{heads}</tr>'
    rows = rows_of(sections, subjects)
    for name in dict.fromkeys(each.stage.name for each in sections):
        heading = escape(f"{name}: {FIGURES[name].about}")
        yield f'<tr><th class="figure" colspan="{1 + columns}">{heading}</th></tr>'
        own = [each for each in sections if each.stage.name == name]
        unmade = {
            each.stage.subject: _unmade(each) for each in own if each.outcome.status != "made"
        }
        of_figure = [row for row in rows if row.figure == name]
        for row in of_figure:
            yield _row(row, subjects, unmade)
        if not of_figure:
            cells = [
                unmade.get(each.stage.subject, f'<a href="#{escape(each.stage.key)}">no claim</a>')
                for each in own
            ]
            span = f' colspan="{columns}"' if len(cells) == 1 else ""
            yield f"<tr><td></td>{''.join(f'<td{span}>{cell}</td>' for cell in cells)}</tr>"
    counts: dict[str, list[Judged]] = {name: [] for name in subjects}
    for claim in all_judged(sections, subjects):
        counts.setdefault(claim.subject, []).append(claim)
    totals = "".join(f"<td>{escape(counted(counts[name]))}</td>" for name in subjects)
    yield f'<tr><th class="figure" colspan="{1 + columns}">all of them</th></tr>'
    yield f"<tr><td></td>{totals}</tr></table>"
    yield '<p class="notes">–: the claim does not apply to the subject, or to what was recorded of it.</p>'


def _row(row: Row, subjects: Sequence[str], unmade: Mapping[str, str]) -> str:
    """A claim of the paper: what became of it in every subject."""
    rule = f'<div class="other">rule: {escape(row.rule)}</div>' if row.several_rules else ""
    said = f"<td>{escape(row.source)}<br>“{escape(row.quote)}”{rule}</td>"
    if "" in row.cells:
        return f'<tr>{said}<td colspan="{len(subjects)}">{_cell(*row.cells[""])}</td></tr>'
    cells = (
        _cell(*row.cells[name]) if name in row.cells else unmade.get(name, "–") for name in subjects
    )
    return f"<tr>{said}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cell(found: Judged, key: str = "") -> str:
    """A verdict, and below it what another rule says; with a link to the figure if there is a key."""
    verdict = _verdict(found.verdict)
    shown = f'<a href="#{escape(key)}">{verdict}</a>' if key else verdict
    if not found.other_verdicts:
        return shown
    others = "<br>".join(_verdict(each) for each in found.other_verdicts)
    which = "other rule" if len(found.other_verdicts) == 1 else "other rules"
    return f'{shown}<div class="other">{which}: {"the same" if found.undisputed else others}</div>'


def _unmade(section: Section) -> str:
    word = "nothing to draw" if section.outcome.status == "nothing" else "<strong>failed</strong>"
    sentence = escape(section.outcome.sentence)
    return f'<a href="#{escape(section.stage.key)}" title="{sentence}">{word}</a>'


def _verdict(verdict: str) -> str:
    kind = "tell" if verdict == "cannot tell" else verdict
    return f'<span class="verdict {kind}">{MARKS.get(verdict, "")} {escape(verdict)}</span>'


def _section(section: Section, subjects: Sequence[str]) -> Iterator[str]:
    stage, outcome = section.stage, section.outcome
    drawing = FIGURES[stage.name]
    heading = f"{stage.name} · {stage.subject} · {drawing.source}"
    yield f'<h2 id="{escape(stage.key)}">{escape(heading)}</h2>'
    yield f"<p>{escape(drawing.about[0].upper() + drawing.about[1:])}.</p>"
    if outcome.status != "made":
        kind = "nothing" if outcome.status == "nothing" else "failed"
        word = "Nothing to draw" if kind == "nothing" else "This stage failed"
        yield f'<p class="{kind}"><strong>{word}.</strong> {escape(outcome.sentence)}</p>'
        if outcome.details:
            yield f"<details><summary>Traceback</summary><pre>{escape(outcome.details)}</pre></details>"
        return
    picture = Path(outcome.files[0])
    yield f'<img alt="{escape(drawing.about)}" src="{_smaller(picture)}">'
    if outcome.claims:
        yield "<table><tr><th>the paper</th><th>rule</th><th>measured</th><th></th></tr>"
        for claim in outcome.claims:
            yield _measured(claim, judged(claim, stage, subjects))
        yield "</table>"
    if outcome.notes:
        yield f'<div class="notes"><p>{"<br>".join(escape(note) for note in outcome.notes)}</p></div>'
    links = " ".join(
        f'<a download="{escape(Path(file).name)}" href="{_inlined(Path(file), "text/csv")}">'
        f"{escape(Path(file).name)}</a>"
        for file in outcome.files[1:]
        if file.endswith(".csv")
    )
    again = f"Again: <code>{escape(command(stage, _common(stage.files)))}</code>"
    took = f"{outcome.seconds:.0f} s, {outcome.peak_mb:.0f} MB"
    yield f'<p class="notes">{again} ({took}). Numbers: {links}</p>'


def _measured(claim: Mapping[str, str], found: Judged) -> str:
    """A claim beside its rule, what was measured, and the verdict; another rule's in a line of its own."""
    of = f"<strong>{escape(found.subject)}</strong>: " if found.subject else ""
    other = ""
    if found.other_rule:
        other = (
            '<div class="other">The rule was chosen after data had been seen. Another, '
            f"{escape(found.other_rule)}.</div>"
        )
    return (
        f"<tr><td>{escape(claim['source'])}<blockquote>“{escape(claim['quote'])}”</blockquote></td>"
        f"<td>{escape(claim['rule'])}</td><td>{of}{escape(found.measured)}{other}</td>"
        f"<td>{_cell(found)}</td></tr>"
    )


def _inlined(file: Path, kind: str) -> str:
    return _as_link(file.read_bytes(), kind)


def _smaller(picture: Path) -> str:
    """A picture in `COLOURS` colours and otherwise without loss: a quarter of the bytes of its PNG."""
    from PIL import Image

    with Image.open(picture) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    written = BytesIO()
    few.convert("RGB").save(written, "WEBP", lossless=True, method=6)
    return _as_link(written.getvalue(), "image/webp")


def _as_link(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _recordings(known: Mapping[str, Known], left_out: Sequence[str]) -> Iterator[str]:
    yield '<h2 id="recordings">Recordings</h2>'
    yield f"<details><summary>All {len(known)}, with their SHA-256</summary><table>"
    yield "<tr><th>file</th><th>subject</th><th>task</th><th>seed</th><th>SHA-256</th></tr>"
    for path, one in known.items():
        cells = (Path(path).name, one.subject, one.task, str(one.seed), one.sha256[:16])
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    yield "</table></details>"
    if left_out:
        yield f"<p>Left out: {' '.join(escape(each) for each in left_out)}</p>"
