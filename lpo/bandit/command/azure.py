"""Where the Azure traces are."""

import os
from pathlib import Path

from lpo.workload.azure import AZURE_FILES


def azure_files() -> list[Path] | None:
    """Return the traces of conversation and of code of 2023 in the folder that LPO_DATA names, None
    where one is missing."""
    root = os.environ.get("LPO_DATA")
    if not root:
        return None
    paths = [Path(root) / AZURE_FILES[name].file for name in ("conv_2023", "code_2023")]
    return paths if all(path.is_file() for path in paths) else None
