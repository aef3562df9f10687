"""The one exception of services: what was asked for is not done, with the reason and the remedy."""


class Refusal(Exception):
    """Says that a request is not done. `code` is for programs; `message` and `remedy` are sentences for people."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy

    @property
    def document(self) -> dict[str, str]:
        """Returns the `error` of JSON documents."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()
