"""What a page is made of, as a test reads it."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br"}


class Outline(HTMLParser):
    """Tables by their id as rows of (text, data-value), other elements, and whether all close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[tuple[str, str | None]]]] = {}
        self.text: list[str] = []
        self._table = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.elements.append((tag, known))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._table = str(known.get("id", ""))
            self.tables[self._table] = []
        if tag == "tr":
            self.tables[self._table].append([])
        if tag in ("td", "th"):
            self.tables[self._table][-1].append(("", known.get("data-value")))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if "table" in self.open and self.open[-1] in ("td", "th", "small"):
            text, value = self.tables[self._table][-1][-1]
            self.tables[self._table][-1][-1] = (f"{text} {data}".strip(), value)
