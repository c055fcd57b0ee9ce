"""A report in the browser, with what it logged and asked for."""

from pathlib import Path

from helpers.chromium import DESK


class Opened:
    """A page in the browser, with what it logged and asked for."""

    def __init__(self, browser, path: Path, viewport=DESK) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page()
        self.page.set_viewport_size(viewport)
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = path.resolve().as_uri()
        self.page.goto(self.address)

    def cells(self, table: str) -> list[list[str]]:
        """What a reader sees in a table, a row a line."""
        return self.page.eval_on_selector_all(
            f"#{table} tr", "rows => rows.map(r => [...r.cells].map(c => c.innerText.trim()))"
        )

    def column(self, table: str, number: int) -> list[str]:
        """A column of its body."""
        return [row[number] for row in self.cells(table)[1:]]
