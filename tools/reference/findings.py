"""The page of `findings.json`, from the JSON Schema of `stillwatch.findings.Findings`."""

from __future__ import annotations

import json
from typing import Any

from stillwatch.findings import SCHEMA_VERSION, Findings
from tools.reference.markdown import code, sentence, table

_LEAD = f"""\
`findings.json` holds one scan's findings for programs. Its JSON Schema lies in the package
(`stillwatch/findings.schema.json`); `schema_version` is {SCHEMA_VERSION} and grows when a field changes its meaning or
goes away. Fields may be added without that.
"""


def schema() -> str:
    """The JSON Schema as it is kept in the package."""
    return json.dumps(Findings.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def type_name(field: dict[str, Any]) -> str:
    """A JSON Schema type as the page writes it, with links to the parts."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(type_name(arm) for arm in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return code(str(field["const"]))
    if field.get("type") == "array":
        return f"list of {type_name(field['items'])}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {type_name(field['additionalProperties'])}"
    return str(field.get("format") or field.get("type", "any"))


def part(title: str, one: dict[str, Any]) -> str:
    """One object: what it is and its fields."""
    rows = [
        (code(name), type_name(field), sentence(field["description"]) if field.get("description") else "")
        for name, field in one["properties"].items()
    ]
    lead = sentence(one.get("description", ""))
    return f"## {title}\n\n{lead}\n\n{table(('field', 'type', 'meaning'), rows)}\n"


def page() -> str:
    """The document, then its parts by name."""
    whole = Findings.model_json_schema()
    parts = "".join(part(name, whole["$defs"][name]) for name in sorted(whole["$defs"]))
    return f"# findings.json\n\n{_LEAD}\n{part('The document', whole)}{parts}"
