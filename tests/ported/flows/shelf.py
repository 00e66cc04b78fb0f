"""A class of the user's, in a module beside the flow."""


class Shelf:
    """What `library_flow` keeps as an artifact."""

    def __init__(self, books):
        self.books = books

    def __repr__(self):
        return f"Shelf({self.books!r})"
