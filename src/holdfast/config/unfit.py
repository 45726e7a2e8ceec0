"""How a reader of one value says that the value cannot be used."""


class Unfit(ValueError):
    """A value cannot be used; `why` is empty where what was expected says it all."""

    def __init__(self, why: str = "", *, hint: str = "") -> None:
        self.why = why
        self.hint = hint
        super().__init__(why)
