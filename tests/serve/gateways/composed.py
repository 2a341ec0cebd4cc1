"""deploy/compose.yaml without Docker: what it starts services with, on hosts and in folders of this machine."""

import re
from collections.abc import Mapping
from typing import Any

import yaml
from tests.serve.gateways.live import DEPLOY


def services(given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services, their variables replaced as Compose does; KeyError where one that must be given is not.

    given: variables of the environment.
    """

    def filled(match: re.Match[str]) -> str:
        name, otherwise, default = match.groups()
        if otherwise == ":-":
            return given.get(name) or default
        if not given.get(name):
            raise KeyError(name)
        return given[name]

    def interpolated(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: interpolated(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [interpolated(inner) for inner in value]
        return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", filled, value) if isinstance(value, str) else value

    return interpolated(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])


def mapped(service: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, str]:
    """A service's environment with each place of the containers' put in this machine's words; all must occur."""
    environment = dict(service["environment"])
    for there, here in places.items():
        assert any(there in value for value in environment.values()), there
        environment = {name: value.replace(there, here) for name, value in environment.items()}
    return environment
