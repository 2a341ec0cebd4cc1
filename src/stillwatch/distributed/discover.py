"""What lies under paths that only Spark can read: s3a://, gs://, abfss://, hdfs://, file://, whatever it has a file
system for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from stillwatch.errors import InputError
from stillwatch.sources import BESIDE, Inputs, Rejects, kept_apart


def remote_inputs(
    session: SparkSession,
    targets: Sequence[str],
    *,
    accounts: Path | None,
    models: Path | None,
    rejects: Rejects,
    to: Path,
) -> tuple[Inputs, tuple[str, ...]]:
    """What there is beside the traffic, brought into the folder `to`, and the traffic's files in reading order.

    In a folder the same files are left out or taken for what they are as on this machine. Raises InputError where there
    is nothing.
    """
    inputs = Inputs([], accounts=accounts, models=models)
    traffic: dict[str, None] = {}
    for path in sorted({p for target in targets for p in _files(session, target)}, key=lambda p: p.split("/")):
        name = path.rsplit("/", 1)[-1]
        role = BESIDE.get(name)
        if name.startswith("truth_"):
            continue
        if role is None:
            traffic[path] = None
        elif getattr(inputs, role) is None:
            setattr(inputs, role, _brought(session, path, to))
        elif getattr(inputs, role) not in (accounts, models):
            rejects.add(path, f"a second {name}; name the one to use", file=True)
    if not traffic:
        raise InputError(f"{', '.join(targets)}: no traffic found; give files or folders of Parquet or JSON lines")
    return inputs, tuple(traffic)


def _hadoop(session: SparkSession, path: str) -> tuple[Any, Any]:
    """The file system of a path, and the path, as Hadoop names them."""
    jvm: Any = session._jvm
    named = jvm.org.apache.hadoop.fs.Path(path)
    return named.getFileSystem(session._jsc.hadoopConfiguration()), named


def _files(session: SparkSession, target: str) -> Iterator[str]:
    """The files that a path or a pattern names, and those in folders that it names."""
    try:
        files, path = _hadoop(session, target)
        found = files.globStatus(path)
        if found is None or not len(found):
            raise InputError(f"{target}: no such file or folder")
        for status in found:
            inside = files.listFiles(status.getPath(), True)
            base = str(status.getPath())
            while inside.hasNext():
                one = str(inside.next().getPath())
                if not any(kept_apart(part) for part in one.removeprefix(base).split("/") if part):
                    yield uri(one)
    except Py4JJavaError as error:
        reason = str(error.java_exception).splitlines()[0]
        raise InputError(f"{target}: Spark cannot read it: {reason}") from error


def uri(path: str) -> str:
    """A path as Spark tells it of a row: Hadoop writes `file:/` where Spark writes `file:///`."""
    return re.sub(r"^file:/+", "file:///", path)


def _brought(session: SparkSession, path: str, to: Path) -> Path:
    files, named = _hadoop(session, path)
    to.mkdir(exist_ok=True)
    here = to / path.rsplit("/", 1)[-1]
    jvm: Any = session._jvm
    files.copyToLocalFile(False, named, jvm.org.apache.hadoop.fs.Path(str(here)), True)
    return here
