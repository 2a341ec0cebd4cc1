"""The page of settings, from `stillwatch.settings.Settings` and `stillwatch.serve.settings.ServeSettings`."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from stillwatch.serve.settings import ServeSettings
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
    if any(isinstance(a, str) for a in arms):
        return "str"
    if get_origin(annotation) is tuple:
        return "list"
    return " or ".join(type_name(a) for a in arms) if arms else getattr(annotation, "__name__", str(annotation))


def bounds(field: FieldInfo) -> str:
    """What values are accepted."""
    limits = {name: getattr(m, name) for m in field.metadata for name in ("ge", "le", "pattern") if hasattr(m, name)}
    if limits.get("pattern"):
        return f"matches `{limits['pattern']}`".replace("|", "\\|")
    if choices := [a for a in get_args(field.annotation) if isinstance(a, str)]:
        return ", ".join(code(choice) for choice in choices)
    return f"{limits['ge']:,} to {limits['le']:,}" if "ge" in limits and "le" in limits else NONE


def default(field: FieldInfo) -> str:
    """The default as it would be written; one that depends on the machine is told by the description."""
    if field.default_factory is dict:
        return NONE
    if field.default_factory is not None:
        return "by the machine"
    if isinstance(field.default, tuple):
        return code(", ".join(field.default))
    return NONE if field.default is None else code(str(field.default))


_SERVICE = """\
## The service { #service }

`stillwatch serve` reads the settings above for its judgements, and these of its own: options of the command, variables
of the environment, the table `[serve]` of the file, the default. What is wrong is refused at start.

```toml
# stillwatch.toml
[serve]
folder = "/var/lib/stillwatch"
port = 8480
```
"""


def rows(settings: type[BaseSettings]) -> str:
    """Every setting of a class."""
    prefix = settings.model_config.get("env_prefix", "")
    made = [
        (
            code(name), code(f"{prefix}{name}".upper()), code(type_name(field.annotation)), default(field),
            bounds(field), sentence(field.description or ""),
        )
        for name, field in settings.model_fields.items()
    ]  # fmt: skip
    return table(("setting", "environment", "type", "default", "accepts", "what it does"), made)


def page() -> str:
    """Every setting."""
    return f"# Settings\n\n{_LEAD}\n{rows(Settings)}\n{_SERVICE}\n{rows(ServeSettings)}"
