"""The report as a PDF: a page of verdicts, then a page for each figure with its claims."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.image import imread

from analysis.figures import FIGURES
from analysis.report.overview import Judged, Section, all_judged, counted, disputed, judged
from analysis.report.page import PAPER, RULE, TITLE
from rig.output_file import replacing

PAGE_IN = (8.27, 11.69)
"""A4."""
_MARGIN_IN = 0.6
_LINES = 88
"""Lines of text on a page."""
_COLUMNS = 132
_LEAST_HEIGHT = 0.5
"""Of a high picture, as a part of the page."""


def write_pdf(path: Path, sections: Sequence[Section], subjects: Sequence[str]) -> None:
    """Writes the PDF.

    Args:
        path: the file.
        sections: the stages, in their order.
        subjects: the names of all.
    """
    look = {"pdf.fonttype": 42, "text.parse_math": False, "font.size": 8}
    with (
        replacing(path) as partial,
        matplotlib.rc_context(look),
        PdfPages(partial, metadata={"Title": TITLE, "CreationDate": None}) as pages,
    ):
        _text_pages(pages, _overview(sections, subjects))
        for each in sections:
            _figure_pages(pages, each, subjects)


def _overview(sections: Sequence[Section], subjects: Sequence[str]) -> list[str]:
    claims = all_judged(sections, subjects)
    lines = [
        TITLE,
        "",
        *_wrapped(PAPER),
        "",
        *_wrapped(RULE),
        "",
        *_wrapped(f"Of the claims: {counted(claims)}. {disputed(claims)}"),
        "",
    ]
    for each in sections:
        lines += ["", f"{each.stage.name}, {each.stage.subject}"]
        if each.outcome.status != "made":
            lines += _wrapped(f"{each.outcome.status}: {each.outcome.sentence}", "  ")
        for claim in each.outcome.claims:
            lines += _claim_lines(claim, judged(claim, each.stage, subjects), "  ")
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, _COLUMNS, initial_indent=indent, subsequent_indent=indent + "  "
    ) or [""]


def _page() -> Figure:
    return Figure(figsize=PAGE_IN, facecolor="white")


def _write(figure: Figure, lines: Sequence[str], top: float) -> None:
    step = (1 - 2 * _MARGIN_IN / PAGE_IN[1]) / _LINES
    for k, line in enumerate(lines):
        figure.text(
            _MARGIN_IN / PAGE_IN[0], top - k * step, line, fontsize=7.5, verticalalignment="top"
        )


def _text_pages(pages: PdfPages, lines: Sequence[str]) -> None:
    for start in range(0, len(lines), _LINES):
        figure = _page()
        _write(figure, lines[start : start + _LINES], 1 - _MARGIN_IN / PAGE_IN[1])
        pages.savefig(figure)


def _claim_lines(claim: Mapping[str, str], found: Judged, indent: str = "") -> list[str]:
    """The verdict, the claim, and what another rule says of it."""
    of = f"{found.subject}, " if found.subject else ""
    lines = _wrapped(f"{found.verdict.upper()}  {of}{claim['source']}: “{claim['quote']}”", indent)
    if found.other_rule:
        rule = f"(rule chosen after data had been seen; another, {found.other_rule})"
        lines += _wrapped(rule, indent + "    ")
    return lines


def _section_lines(section: Section, subjects: Sequence[str]) -> Iterator[str]:
    if section.outcome.status != "made":
        yield from _wrapped(f"{section.outcome.status}: {section.outcome.sentence}")
    for claim in section.outcome.claims:
        found = judged(claim, section.stage, subjects)
        yield from _claim_lines(claim, found)
        yield from _wrapped(f"rule: {claim['rule']}", "    ")
        yield from _wrapped(f"measured: {found.measured}", "    ")
        yield ""
    for note in section.outcome.notes:
        yield from _wrapped(note)


def _figure_pages(pages: PdfPages, section: Section, subjects: Sequence[str]) -> None:
    figure = _page()
    margin_x, margin_y = _MARGIN_IN / PAGE_IN[0], _MARGIN_IN / PAGE_IN[1]
    stage = section.stage
    heading = f"{stage.name} · {stage.subject} · {FIGURES[stage.name].source}"
    figure.text(
        margin_x, 1 - margin_y, heading, fontsize=10, weight="bold", verticalalignment="top"
    )
    top = 1 - margin_y - 0.025
    lines = list(_section_lines(section, subjects))
    step = (1 - 2 * margin_y) / _LINES
    if section.outcome.status == "made":
        picture = imread(section.outcome.files[0])
        width = 1 - 2 * margin_x
        height = width * PAGE_IN[0] * picture.shape[0] / picture.shape[1] / PAGE_IN[1]
        # its claims are on the same page, unless the picture would be too small for that
        room = max(_LEAST_HEIGHT, top - margin_y - 0.01 - len(lines) * step)
        if height > room:
            width, height = width * room / height, room
        axes = figure.add_axes((margin_x, top - height, width, height))
        axes.imshow(picture, interpolation="antialiased", aspect="auto")
        axes.set_axis_off()
        top -= height + 0.01
    fitting = max(0, int((top - margin_y) / step + 1e-6))
    _write(figure, lines[:fitting], top)
    pages.savefig(figure, dpi=200)
    if lines[fitting:]:
        _text_pages(pages, lines[fitting:])
