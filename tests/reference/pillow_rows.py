"""Pillow 13 resizes columns before rows where that is less work, and rounds in between, so levels differ by one from what
every Pillow before it made. The projects that are compared with here were made with those: rows come first."""

from PIL import Image

_resize = Image.Image.resize


def _rows_first(self, size, resample=None, box=None, reducing_gap=None):
    if box is not None or reducing_gap is not None:
        raise NotImplementedError("only whole pictures are resized here")
    return _resize(_resize(self, (size[0], self.height), resample), tuple(size), resample)


def resize_rows_first() -> None:
    """From here on, in this process."""
    Image.Image.resize = _rows_first
