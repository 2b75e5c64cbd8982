"""Elements of the page. They are a tree, and whatever is text in it is escaped when it is written.

So no name, which comes from strangers, can be markup: there is no place where it would be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, tostring

from postpress_source.cli.screen import printable

Content = Element | str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart.

    Attributes:
        label: What it is about.
        parts: How much, of each series.
        text: What stands beside it.
    """

    label: str
    parts: tuple[int, ...]
    text: str


def element(tag: str, *content: Content, **attributes: str) -> Element:
    """An element; of an attribute's name a trailing `_` goes, and others become hyphens."""
    made = Element(tag, {_attribute(name): value for name, value in attributes.items()})
    for part in content:
        _append(made, part)
    return made


def text_of(value: object) -> Element:
    """Somebody's name, whatever its direction: it can't turn the text around it."""
    return element("bdi", printable(str(value)))


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[Content]], numbers: int = 0
) -> Element:
    """A table in a frame that scrolls by itself on a narrow screen.

    Args:
        caption: What it says, for those who hear it, too.
        headings: One a column.
        rows: The first cell of each is its heading.
        numbers: How many of the last columns are numbers.
    """
    first_number = len(headings) - numbers
    kinds = ["number" if index >= first_number else "text" for index in range(len(headings))]
    head = element("tr", *(_cell("th", h, k, "col") for h, k in zip(headings, kinds, strict=True)))
    body = element("tbody")
    for row in rows:
        first, *rest = zip(row, kinds, strict=True)
        cells = [_cell("th", *first, "row"), *(_cell("td", *cell) for cell in rest)]
        body.append(element("tr", *cells))
    made = element("table", element("caption", caption), element("thead", head), body)
    return element("div", made, class_="scrolls", tabindex="0", role="region", aria_label=caption)


def bars(says: str, series: Sequence[str], rows: Sequence[Bar]) -> Element:
    """A chart of Charts.css: a table that it draws as bars, each as long as its parts together.

    Args:
        says: What is seen, for those who don't.
        series: Names of the parts, one or two.
        rows: The bars.
    """
    longest = max((sum(bar.parts) for bar in rows), default=0) or 1
    body = element("tbody")
    for bar in rows:
        cells = [
            element("td", style=f"--size: {part / longest:.4f}", class_=f"part-{index}")
            for index, part in enumerate(bar.parts, 1)
        ]
        cells[-1].append(element("span", bar.text, class_="data"))
        body.append(element("tr", element("th", text_of(bar.label), scope="row"), *cells))
    drawn = element("table", body, class_="charts-css bar multiple stacked show-labels")
    drawn.set("style", f"--bars: {len(rows)}")
    figure = element("div", drawn, role="img", aria_label=says, class_="picture bars")
    if len(series) < 2:
        return figure
    keys = (element("li", name, class_=f"key part-{n}") for n, name in enumerate(series, 1))
    return element("div", element("ul", *keys, class_="keys"), figure)


def folded(summary: str, *content: Content) -> Element:
    """Content that a click opens."""
    return element("details", element("summary", summary), *content)


def document(title: str, styles: Iterable[str], *body: Content) -> str:
    """The whole page, which asks for nothing elsewhere and may run nothing."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        *(element("style", style) for style in styles),
    )
    page = element("html", head, element("body", *body), lang="en")
    return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def _cell(tag: str, content: Content, kind: str, scope: str = "") -> Element:
    made = element(tag, content, class_=kind)
    if scope:
        made.set("scope", scope)
    return made


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _append(parent: Element, part: Content) -> None:
    if not isinstance(part, str):
        parent.append(part)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + part
    else:
        parent.text = (parent.text or "") + part
