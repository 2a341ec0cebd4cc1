"""Settings of the service: command line > environment (STILLWATCH_SERVE_*) > [serve] in stillwatch.toml > default."""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from stillwatch.errors import InputError

Part = Literal["ingest", "cycle", "decisions"]
PARTS: tuple[Part, ...] = get_args(Part)

TABLE = "serve"
PREFIX = "STILLWATCH_SERVE_"
_UNKNOWN = "no such setting; they are listed in the reference of settings"


class _Table(TomlConfigSettingsSource):
    """The table [serve] of the file; what stands outside it is a scan's."""

    def __call__(self) -> dict[str, Any]:
        """What the table says; nothing where there is none."""
        table = self.toml_data.get(TABLE, {})
        if not isinstance(table, dict):
            raise InputError(f"stillwatch.toml: {TABLE} takes a table, [serve]")
        return table


class ServeSettings(BaseSettings):
    """What the service can be told. Checked as a whole at start; what is wrong is refused by its name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, toml_file="stillwatch.toml", extra="forbid", frozen=True)

    folder: Path = Field(
        Path("stillwatch-data"), description="folder of the service: its keys, and by default state, store and spool"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8480, ge=1, le=65_535, description="port to listen on")
    parts: tuple[Part, ...] = Field(
        PARTS, min_length=1, description="what this process does: ingest, cycle and decisions, as a JSON list"
    )
    state_url: SecretStr | None = Field(
        None,
        description="database of decisions, cases and the audit record, e.g. postgresql+pg8000://…; by default SQLite "
        "in the folder",
    )
    store: Path | None = Field(None, description="the store of traffic; by default `store` in the folder")
    spool: Path | None = Field(None, description="where traffic waits, encrypted; by default `spool` in the folder")
    audit_key_file: Path | None = Field(
        None,
        description="file with the key that seals the audit record; made with a new database, by default beside it "
        "(SQLite), else in the folder",
    )
    spool_key_file: Path | None = Field(
        None,
        description="file of mode 0600 with the key that the spool is encrypted with, 32 bytes or more; without it one "
        "is made in the spool",
    )
    spool_bytes: int = Field(
        4 * 2**30,
        ge=2**20,
        le=2**44,
        description="bytes that may wait in the spool; beyond it senders are told to wait",
    )
    spool_hours: float = Field(
        72.0, ge=0.01, le=8_760.0, description="hours after which what nobody drained is removed from the spool"
    )
    ingest_memory: int = Field(
        512 * 2**20, ge=2**20, le=2**40, description="bytes that traffic on its way into the spool may take in memory"
    )
    join_seconds: float = Field(
        0.0,
        ge=0.0,
        le=3_600.0,
        description="seconds that an exchange without account or address waits for what access logs tell; 0: none",
    )
    accounts: Path | None = Field(None, description="account data for the judgement: Parquet, JSON lines or CSV")
    account_events: Path | None = Field(
        None, description="what changed of accounts, for the judgement: Parquet, JSON lines or CSV"
    )
    models: Path | None = Field(None, description="model releases for the judgement: Parquet, JSON lines or CSV")
    cycle_seconds: int = Field(60, ge=1, le=86_400, description="seconds from one judging to the next")
    newest_exchanges: int = Field(
        200_000,
        ge=0,
        le=10**9,
        description="of a store that holds more, only so many exchanges, those that came last, are judged in most "
        "cycles, and all of them in a tenth of the time; 0: all in every cycle",
    )
    refresh_seconds: float = Field(
        1.0, ge=0.05, le=60.0, description="seconds after which a changed decision is served at the latest"
    )
    stale_seconds: int = Field(
        60, ge=1, le=86_400, description="seconds without news of the state after which `/readyz` says so"
    )
    tls_certificate: Path | None = Field(None, description="PEM file of the certificate and its chain")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's key")
    plain_http: bool = Field(
        False, description="listen without TLS on an address that others reach, since a proxy before it has TLS"
    )
    envoy_grpc: str | None = Field(
        None,
        pattern=r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$",
        description="address:port on which Envoy's ext_authz is answered over gRPC; off by default",
    )
    account_header: str = Field(
        "x-stillwatch-account", pattern=r"^[a-z0-9-]+$", description="header in which a gateway names the account"
    )
    key_header: str = Field(
        "x-stillwatch-key-id", pattern=r"^[a-z0-9-]+$", description="header in which a gateway names the account's key"
    )
    max_body: int = Field(16 * 2**20, ge=1_024, le=2**30, description="bytes that a request may send, as they are sent")
    max_inflated: int = Field(128 * 2**20, ge=1_024, le=2**32, description="bytes that a compressed body may become")
    body_seconds: float = Field(
        10.0, ge=0.1, le=600.0, description="seconds in which a request must have sent its headers, and again its body"
    )
    rate: int = Field(5_000, ge=1, le=10_000_000, description="requests a second that a key may send")
    oidc_issuer: str | None = Field(
        None, pattern=r"^https?://[^\s]+$", description="issuer of people's tokens, where its discovery document is"
    )
    oidc_audience: str | None = Field(None, description="audience that a person's token must name")
    oidc_roles_claim: str = Field("roles", min_length=1, description="claim that lists a person's roles")
    oidc_scope_claim: str | None = Field(
        None, description="claim with the prefix of the accounts that a person sees; without it all"
    )
    open_appeals: bool = Field(
        False, description="take appeals without a key, from whoever knows the decision's id; by default from gateways"
    )
    open_metrics: bool = Field(False, description="serve `/metrics` without a key")
    drain_seconds: float = Field(
        10.0, ge=0.0, le=600.0, description="seconds that requests under way are given when the service stops"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence, first wins."""
        return init_settings, env_settings, _Table(settings_cls)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_certificate"
            raise ValueError(f"{missing}: missing; a certificate and its key are given together")
        grpc = self.grpc_address
        if grpc is not None and not 1 <= grpc[1] <= 65_535:
            raise ValueError("envoy_grpc: takes an address and a port from 1 to 65,535, as address:port")
        for name, host in (("host", self.host), ("envoy_grpc", grpc[0] if grpc else None)):
            if host is not None and self.tls_certificate is None and not self.plain_http and not _loopback(host):
                raise ValueError(
                    f"{name}: {host} is reached by others, and keys would cross the network in the clear: give "
                    "tls_certificate and tls_key, or plain_http = true where a proxy before it has TLS"
                )
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            missing = "oidc_audience" if self.oidc_audience is None else "oidc_issuer"
            raise ValueError(f"{missing}: missing; an issuer and an audience are given together")
        if (
            self.oidc_issuer is not None
            and self.oidc_issuer.startswith("http:")
            and not _loopback_url(self.oidc_issuer)
        ):
            raise ValueError("oidc_issuer: takes an https address; its keys decide who may enter")
        return self

    @property
    def tls(self) -> bool:
        """Whether it listens with TLS."""
        return self.tls_certificate is not None

    @property
    def grpc_address(self) -> tuple[str, int] | None:
        """Where Envoy is answered over gRPC: host and port."""
        if self.envoy_grpc is None:
            return None
        host, _, port = self.envoy_grpc.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def database(self) -> str | Path:
        """The state's database: its URL, or the file of SQLite."""
        return self.state_url.get_secret_value() if self.state_url else self.folder / "state.db"

    @property
    def store_folder(self) -> Path:
        """Where the traffic is kept."""
        return self.store or self.folder / "store"

    @property
    def spool_folder(self) -> Path:
        """Where traffic waits."""
        return self.spool or self.folder / "spool"

    @property
    def findings_folder(self) -> Path:
        """The newest findings, as `scan --out` writes them."""
        return self.folder / "judged" / "findings"

    @property
    def pulse_file(self) -> Path:
        """What the cycle says of itself."""
        return self.folder / "judged" / "pulse.json"

    @property
    def keys_file(self) -> Path:
        """The access keys, hashed."""
        return self.folder / "access.json"


_KNOWN = frozenset(name.upper() for name in ServeSettings.model_fields)


def of_newest(findings: Path) -> Path:
    """Where findings are published that are of what came last alone, beside those of all."""
    return findings.with_name(f"{findings.name}-newest")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _loopback_url(url: str) -> bool:
    return _loopback(url.removeprefix("http://").split("/", 1)[0].rsplit(":", 1)[0].strip("[]"))


def load(**given: Any) -> ServeSettings:
    """The settings, or an InputError that names the one that is wrong, where it was given, and what it takes.

    given: from the command line; None where it was not.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX) and variable.upper().removeprefix(PREFIX) not in _KNOWN:
            raise InputError(f"{variable}: {_UNKNOWN}")
    try:
        settings = ServeSettings(**chosen)
    except ValidationError as error:
        raise InputError(_fault(error, chosen)) from error
    except OSError as error:
        raise InputError(f"stillwatch.toml: cannot be read: {error.strerror}") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"stillwatch.toml: {error}") from error
    _check_files(settings)
    return settings


def _fault(error: ValidationError, given: dict[str, Any]) -> str:
    fault = error.errors()[0]
    if not fault["loc"]:  # of several settings together: the message begins with the name
        name, _, rest = str(fault["ctx"]["error"]).partition(": ")
        return f"{place(name, given)}: {rest}"
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return f"{place(name, given)}: {_UNKNOWN}"
    field = ServeSettings.model_fields[name]
    # What was given may be a secret, or hold one.
    shown = "" if "Secret" in str(field.annotation) else f", not {fault['input']!r}"
    return f"{place(name, given)}: takes {takes(name)}{shown}"


def place(name: str, given: dict[str, Any]) -> str:
    """Where a setting was given: an option, a variable, or else the file."""
    if name in given:
        return f"--{name.replace('_', '-')}"
    variable = f"{PREFIX}{name.upper()}"
    return variable if variable in {key.upper() for key in os.environ} else f"stillwatch.toml: {TABLE}.{name}"


def takes(name: str) -> str:
    """What a setting takes, in words: its type and bounds."""
    field = ServeSettings.model_fields[name]
    limits = {n: getattr(m, n) for m in field.metadata for n in ("ge", "le", "pattern") if hasattr(m, n)}
    text = str(field.annotation)
    if "ge" in limits:
        kind = "a number" if "float" in text else "a whole number"
        return f"{kind} from {limits['ge']:,} to {limits['le']:,} ({field.description})"
    if name == "parts":
        return f"a list of {', '.join(PARTS)}"
    if options := get_args(field.annotation):
        literal = [option for option in options if isinstance(option, str)]
        if literal:
            return f"one of {', '.join(literal)}"
    kinds = {"bool": "true or false", "Path": "a path"}
    kind = next((words for part, words in kinds.items() if part in text), "text")
    return f"{kind} ({field.description})"


def _check_files(settings: ServeSettings) -> None:
    for name in ("accounts", "account_events", "models", "spool_key_file"):
        file: Path | None = getattr(settings, name)
        if file is not None and not file.is_file():
            raise InputError(f"{file}: {name} takes a file that exists")
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    for name in ("tls_certificate", "tls_key"):
        path: Path = getattr(settings, name)
        if not os.access(path, os.R_OK):
            raise InputError(f"{path}: {name} takes a PEM file that can be read")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except ssl.SSLError as error:
        raise InputError(
            f"{settings.tls_certificate}: tls_certificate and tls_key take a PEM certificate and the key that belongs "
            f"to it ({error.reason or 'unreadable'})"
        ) from error
