# /// script
# requires-python = ">=3.11"
# dependencies = ["splink==5.0.0", "pyarrow>=22"]
# ///
"""Splink 5 linking accounts as records of one entity: uv run --script splink_accounts.py WORLD OUT.

The records are what a provider would link by: the account file, and from traffic the address, client and fingerprint
that an account used most. u is estimated from random pairs, m by expectation maximisation, blocking on any agreement.
An account's score is the greatest match weight (bits) that it has with another, or the size of its cluster.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import duckdb
import splink.comparison_library as compare
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

IDENTITY = ("email_domain", "email_hash", "payment_fingerprint", "phone_hash", "device_fingerprint")
TRAFFIC = ("ip", "tls_fingerprint", "user_agent", "model")
REGISTRATION = ("created_day", "country", "plan")
# Below this probability of a match a pair is not kept: a weight of -10 bits.
LEAST_PROBABILITY = 0.001
CLUSTERED_AT = (0.5, 0.9, 0.99)
SEED = 1


def records(connection: duckdb.DuckDBPyConnection, world: Path) -> None:
    """Table `records`: one row an account, with the value that it used most of each column of traffic."""
    used = ", ".join(f"mode({c}) AS {c}" for c in TRAFFIC)
    kept = ", ".join(f"a.{c}" for c in IDENTITY)
    connection.execute(
        f"CREATE TABLE records AS SELECT t.account_id AS unique_id, {kept}, a.country, a.plan, "
        "CAST(CAST(a.created_at AS DATE) AS VARCHAR) AS created_day, t.* EXCLUDE (account_id) "
        f"FROM (SELECT account_id, {used} FROM '{world / 'exchanges.parquet'}' GROUP BY account_id) AS t "
        f"LEFT JOIN '{world / 'accounts.parquet'}' AS a USING (account_id) ORDER BY unique_id"
    )


def present(connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...]) -> list[str]:
    """The columns that have at least two values; nothing can be learned from others."""
    counted = [(c, connection.execute(f"SELECT count(DISTINCT {c}) FROM records").fetchall()) for c in columns]
    return [c for c, [(distinct,)] in counted if distinct > 1]


def linked(
    connection: duckdb.DuckDBPyConnection, columns: list[str], blocked: list[str]
) -> dict[str, dict[str, float]]:
    """Scores by greatest weight, and by size of cluster."""
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[compare.ExactMatch(c).configure(term_frequency_adjustments=True) for c in columns],
        blocking_rules_to_generate_predictions=[block_on(c) for c in blocked],
        retain_intermediate_calculation_columns=False,
    )
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register("records"), settings)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=SEED)
    for column in blocked:
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(column))
        except Exception as error:  # a column on which no two records agree trains nothing, as Splink says itself
            print(f"not trained on {column}: {error}", file=sys.stderr)
    pairs = linker.inference.predict(threshold_match_probability=LEAST_PROBABILITY)
    name = pairs.physical_name
    scores: dict[str, dict[str, float]] = {"greatest match weight": {}}
    both = (
        f"SELECT unique_id_l AS a, match_weight AS w FROM {name} UNION ALL SELECT unique_id_r, match_weight FROM {name}"
    )
    for account, weight in connection.execute(f"SELECT a, max(w) FROM ({both}) GROUP BY a").fetchall():
        scores["greatest match weight"][account] = float(weight) + 100  # positive, so that no score means no match
    for at in CLUSTERED_AT:
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, threshold_match_probability=at)
        of: dict[str, list[str]] = defaultdict(list)
        for cluster, account in connection.execute(
            f"SELECT cluster_id, unique_id FROM {clusters.physical_name}"
        ).fetchall():
            of[cluster].append(account)
        scores[f"size of cluster at {at:g}"] = {a: float(len(c)) for c in of.values() if len(c) > 1 for a in c}
    return scores


def main() -> None:
    world, out = Path(sys.argv[1]), Path(sys.argv[2])
    told: dict[str, dict[str, float]] = {}
    connection = duckdb.connect()
    records(connection, world)
    identity, traffic, rest = (present(connection, c) for c in (IDENTITY, TRAFFIC, REGISTRATION))
    ways = {
        "identity": (identity, [c for c in identity if c != "email_domain"]),
        "identity and traffic": (identity + traffic, identity + traffic[:1]),
        "everything": (identity + traffic + rest, identity + traffic[:2] + rest[:1]),
    }
    for way, (columns, blocked) in ways.items():
        try:
            told |= {f"{way}, {name}": s for name, s in linked(connection, columns, blocked).items()}
        except ValueError as error:  # where few records agree, Splink may learn a prior of 0 and take its logarithm
            print(f"no prediction by {way}: {error}", file=sys.stderr)
        unfinished = out.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"settings": told, "windows": {}}), "utf-8")
        unfinished.replace(out)


if __name__ == "__main__":
    main()
