"""Files, and one branch per question asked of them."""

import csv
import io
from collections import Counter

from metaflow import FlowSpec, IncludeFile, JSONType, Parameter, step
from shelf import Shelf


def script_path(name):
    import os

    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)


class LibraryFlow(FlowSpec):
    books = IncludeFile("books", default=script_path("books.csv"), help="Title, kind and pages")
    kind = Parameter("kind", default="novel")
    limits = Parameter("limits", type=JSONType, default='{"pages": 400}')
    names = Parameter("names", separator=",", default="ada,grace")

    @step
    def start(self):
        rows = list(csv.DictReader(io.StringIO(self.books)))
        self.shelf = Shelf([(row["title"], row["kind"], int(row["pages"])) for row in rows])
        self.next(self.by_kind, self.by_length)

    @step
    def by_kind(self):
        self.of_kind = [title for title, kind, _ in self.shelf.books if kind == self.kind]
        self.counted = Counter(kind for _, kind, _ in self.shelf.books)
        self.next(self.join)

    @step
    def by_length(self):
        self.short = [title for title, _, pages in self.shelf.books if pages <= self.limits["pages"]]
        self.counted_pages = sum(pages for _, _, pages in self.shelf.books)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.both = sorted(set(inputs.by_kind.of_kind) & set(inputs.by_length.short))
        self.merge_artifacts(inputs, exclude=["short"])
        self.next(self.end)

    @step
    def end(self):
        self.readers = [name.title() for name in self.names]


if __name__ == "__main__":
    LibraryFlow()
