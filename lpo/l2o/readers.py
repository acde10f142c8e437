"""Pictures of digits from files: those that scikit-learn brings, and MNIST."""

import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.l2o.families.digits import CLASSES, Images


class Pictures(NamedTuple):
    """train: of which problems are made. test: for the share that is told rightly."""

    train: Images
    test: Images


@cache
def pictures_of(path: str | None) -> Pictures:
    """Return the pictures of `read_mnist`, of `read_digits` without a path; each read once."""
    return read_digits() if path is None else read_mnist(Path(path))


def read_digits() -> Pictures:
    """Return the 1797 pictures of 8 x 8 of scikit-learn (UCI, Optical recognition of handwritten
    digits); every fifth is for tests."""
    from sklearn.datasets import load_digits  # half a second

    pixels, digits = (np.asarray(leaf) for leaf in load_digits(return_X_y=True))
    images = Images((pixels / 16.0).astype(np.float32), digits.astype(np.int32))
    test = np.arange(len(digits)) % 5 == 4
    return Pictures(*(Images(*(leaf[chosen] for leaf in images)) for chosen in (~test, test)))


def read_mnist(path: Path) -> Pictures:
    """Read MNIST from the `.npz` of its usual distribution.

    The file has `x_train` and `x_test`, uint8 [N, 28, 28] (or [N, p]) from 0 to 255, `y_train` and
    `y_test`, the digits, [N].

    **Raises:** InputError, one line, on a file that is missing or damaged, on arrays that are
    missing or of other shapes or kinds, and on digits that are none.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InputError(f"{path}: must be a .npz with `x_train`, ..., got a single array.")
        with archive:
            arrays = {name: archive[name] for name in _NAMES}
    except KeyError as error:
        name = next(name for name in _NAMES if name in str(error))
        raise InputError(f"{path}: has no array `{name}`.") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: is damaged, or no .npz ({reason}).") from None
    train, test = (_images(path, part, arrays) for part in ("train", "test"))
    if train.pixels.shape[1] != test.pixels.shape[1]:
        raise InputError(
            f"{path}: `x_train` and `x_test` must have pictures of one size, got "
            f"{train.pixels.shape[1]} and {test.pixels.shape[1]} pixels."
        )
    return Pictures(train, test)


_NAMES = ("x_train", "y_train", "x_test", "y_test")


def _images(path: Path, part: str, arrays: dict[str, np.ndarray]) -> Images:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if x.dtype != np.uint8 or x.ndim not in (2, 3) or 0 in x.shape:
        raise InputError(
            f"{path}: `x_{part}` must be uint8 [N, 28, 28] or [N, p], got {x.dtype} "
            f"{list(x.shape)}."
        )
    if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
        raise InputError(
            f"{path}: `y_{part}` must be whole numbers [{len(x)}], got {y.dtype} {list(y.shape)}."
        )
    strange = np.flatnonzero((y < 0) | (y >= CLASSES))
    if strange.size:
        raise InputError(
            f"{path}: `y_{part}`[{strange[0]}] must be a digit from 0 to 9, got {y[strange[0]]}."
        )
    return Images(x.reshape(len(x), -1).astype(np.float32) / 255.0, y.astype(np.int32))
