"""`python -m tools.protocols`: Python's messages from the .proto files of the service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from grpc_tools import protoc

FOLDER: Final = Path(__file__).parents[1] / "src" / "stillwatch" / "serve" / "gateways"


def make(out: Path) -> None:
    """Write the modules and their types into a folder."""
    files = [str(path) for path in sorted(FOLDER.glob("*.proto"))]
    status = protoc.main(["", f"-I{FOLDER}", f"--python_out={out}", f"--pyi_out={out}", *files])
    if status:
        sys.exit(status)


if __name__ == "__main__":
    make(FOLDER)
