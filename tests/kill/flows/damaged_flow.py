# ruff: noqa: ANN201
# mypy: ignore-errors
"""A flow whose middle step damages what the first one stored, and whose artifacts can be as large as a disk."""

import random
from pathlib import Path

from airflow_mlflow_provider import FlowSpec, Parameter, step


class DamagedFlow(FlowSpec):
    """Stores bytes, optionally flips one of them in the store, and reads them back."""

    size = Parameter("size", default=300_000, help="Bytes of the artifact `payload`")
    flip = Parameter("flip", default="", help="Folder of the store in whose blobs a byte is to be flipped")
    fill = Parameter("fill", default="", help="Folder whose disk is to be filled up to the last byte")

    @step
    def start(self):
        self.payload = random.Random(7).randbytes(self.size)
        self.next(self.damage)

    @step
    def damage(self):
        if self.flip:
            for blob in Path(self.flip).glob("blobs/*/*"):
                if blob.stat().st_size == self.size:
                    data = bytearray(blob.read_bytes())
                    data[self.size // 2] ^= 1
                    blob.chmod(0o600)
                    blob.write_bytes(data)
        if self.fill:
            with (Path(self.fill) / "filler").open("wb", buffering=0) as filler:
                try:
                    while filler.write(bytes(65536)):
                        pass
                except OSError as error:
                    print("the disk is full:", error)
        self.next(self.end)

    @step
    def end(self):
        self.length = len(self.payload)


if __name__ == "__main__":
    DamagedFlow()
