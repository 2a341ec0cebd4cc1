"""Whether two results of scans say the same: `python -m bench.scale.same BEFORE AFTER`, for folders of results or
folders of such folders. Used to show that what makes a scan faster changes nothing that it finds.

Tables are compared row for row in their order, `findings.json` (but for the settings) and the report to the byte.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def files(folder: Path) -> set[str]:
    """Files of a result, the daily exchanges as one."""
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    return {"exchanges" if name.startswith("exchanges/") else name for name in found}


def differences(before: Path, after: Path) -> list[str]:
    said = [f"only in one: {name}" for name in sorted(files(before) ^ files(after))]
    for name in sorted(files(before) & files(after)):
        if name == "exchanges" or name.endswith(".parquet"):
            ours, theirs = pq.read_table(before / name), pq.read_table(after / name)
            if not ours.equals(theirs):
                said.append(f"{name}: {_first(ours, theirs)}")
        elif name == "findings.json":
            one, other = ((folder / name).read_text() for folder in (before, after))
            if _found(one) != _found(other):
                said.append(f"{name}: {_line(one, other)}")
        elif (before / name).read_bytes() != (after / name).read_bytes():
            said.append(f"{name}: {_line((before / name).read_text(), (after / name).read_text())}")
    return said


def _found(text: str) -> object:
    """Findings, without the settings by which they were made."""
    return {key: value for key, value in json.loads(text).items() if key != "settings"}


def _line(one: str, other: str) -> str:
    lines = zip(one.splitlines(), other.splitlines(), strict=False)
    at = next((f"{n}: {a[:120]} | {b[:120]}" for n, (a, b) in enumerate(lines, 1) if a != b), "their length")
    return f"line {at}"


def _first(ours: pa.Table, theirs: pa.Table) -> str:
    if ours.schema != theirs.schema or ours.num_rows != theirs.num_rows:
        return f"{ours.num_rows:,} and {theirs.num_rows:,} rows, or other columns"
    rows = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
    return next((f"row {n}: {a} | {b}" for n, (a, b) in enumerate(rows) if a != b), "types")


def main(before: Path, after: Path) -> int:
    """Print every difference; 0 where there is none."""
    several = not (before / "findings.json").exists()
    folders = sorted(p.name for p in before.iterdir() if (p / "findings.json").exists()) if several else ["."]
    faults = 0
    for name in folders:
        if not (after / name / "findings.json").exists():
            print(f"{name}: not in {after}")
            continue
        said = differences(before / name, after / name)
        faults += len(said)
        print(f"{name}: {'the same' if not said else ''}", *said, sep="\n  " if said else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
