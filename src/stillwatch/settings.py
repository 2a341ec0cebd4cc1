"""Settings: command line > environment (STILLWATCH_*) > file (stillwatch.toml) > default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import ByteSize, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class _Outside(TomlConfigSettingsSource):
    """The file but for the table [serve], which is the service's own."""

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__call__().items() if name != "serve"}


class Settings(BaseSettings):
    """What a scan can be told; the effective values are written into every result."""

    model_config = SettingsConfigDict(
        env_prefix="STILLWATCH_", toml_file="stillwatch.toml", extra="forbid", frozen=True
    )

    memory_limit: str = Field(
        "3GB",
        description="memory that the engine may use before it spills to disk, e.g. 4GB",
        pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$",
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="cores to use; by default all"
    )
    k: int = Field(5, ge=2, le=1000, description="parties that must share a passage before its text is shown")
    keep_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days of traffic that count, back from the newest exchange; what is older is not judged, and is "
        "removed from a store; by default all",
    )
    loss: Literal["output_tokens", "exchanges", "accounts"] = Field(
        "output_tokens",
        description="what a campaign is taken to cost: findings are listed by probability times this",
    )
    batch_rows: int = Field(16_384, ge=1, le=1_000_000, description="exchanges a batch")
    sketch_key_file: Path | None = Field(
        None,
        description="file with the secret key of the sketch; without it a store uses its own, and a one-off scan a "
        "published key, so that it can be repeated",
    )
    spark_master: str | None = Field(
        None, description="where Spark runs, e.g. spark://host:7077; by default as spark-submit or its own files say"
    )
    spark_conf: dict[str, str] = Field(
        default_factory=dict,
        description="properties of Spark, e.g. spark.executor.memory, for a session that the scan starts; in the "
        "environment as JSON",
    )
    spark_folder: str | None = Field(
        None,
        description="path that all of Spark's workers can write, for intermediate tables, e.g. s3a://bucket/tmp; by "
        "default the working folder",
    )
    spark_collect: ByteSize = Field(
        ByteSize(64_000_000),
        description="tables of Spark that take at most so much as Parquet are worked on by the driver, e.g. 64MB",
    )
    work_dir: Path | None = Field(None, description="folder for intermediate files; by default beside the output")

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
        return init_settings, env_settings, _Outside(settings_cls)
