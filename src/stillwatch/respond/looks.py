"""The passages of a finding, for a person who looks at them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from stillwatch.errors import InputError
from stillwatch.findings import Findings, Passage


def findings_of(folder: Path) -> Findings:
    """The findings document of a result folder; InputError where it is none."""
    path = folder / "findings.json"
    try:
        return Findings.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{folder} is not a result of scan: {path.name}: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(f"{path}: not the findings of this Stillwatch; scan again") from error


def passages_of(folder: Path, campaign: str) -> list[Passage]:
    """The passages that a campaign's accounts share, each once; InputError where the findings do not name it."""
    for found in findings_of(folder).campaigns:
        if found.id == campaign:
            return list({p.id: p for workload in found.workloads for p in workload.passages}.values())
    raise InputError(f"{campaign}: no campaign of {folder}")
