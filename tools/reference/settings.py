"""The page of settings, from `stillwatch.settings.Settings`."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from stillwatch.settings import Settings
from tools.reference.markdown import NONE, code, sentence, table

_LEAD = """\
A setting comes from the first of these that names it: the command line, where the command has an option for it; the
environment; the file `stillwatch.toml` in the working directory; the default. The effective values are written into
every result (`settings` in `findings.json`), but for those that decide nothing about what is found and may hold paths
or passwords: `sketch_key_file`, `work_dir` and those of Spark.

```toml
# stillwatch.toml
memory_limit = "8GB"
threads = 4
```
"""


def type_name(annotation: Any) -> str:
    """A type as the page writes it; None is left out, since an absent setting is simply not set."""
    if get_origin(annotation) is dict:
        return "table"
    arms = [a for a in get_args(annotation) if a is not NoneType]
    return " or ".join(type_name(a) for a in arms) if arms else getattr(annotation, "__name__", str(annotation))


def bounds(field: FieldInfo) -> str:
    """What values are accepted."""
    limits = {name: getattr(m, name) for m in field.metadata for name in ("ge", "le", "pattern") if hasattr(m, name)}
    if limits.get("pattern"):
        return f"matches `{limits['pattern']}`"
    return f"{limits['ge']:,} to {limits['le']:,}" if "ge" in limits and "le" in limits else NONE


def default(field: FieldInfo) -> str:
    """The default as it would be written; one that depends on the machine is told by the description."""
    if field.default_factory is dict:
        return NONE
    if field.default_factory is not None:
        return "by the machine"
    return NONE if field.default is None else code(str(field.default))


def page() -> str:
    """Every setting."""
    prefix = Settings.model_config.get("env_prefix", "")
    rows = [
        (
            code(name), code(f"{prefix}{name}".upper()), code(type_name(field.annotation)), default(field),
            bounds(field), sentence(field.description or ""),
        )
        for name, field in Settings.model_fields.items()
    ]  # fmt: skip
    head = ("setting", "environment", "type", "default", "accepts", "what it does")
    return f"# Settings\n\n{_LEAD}\n{table(head, rows)}"
