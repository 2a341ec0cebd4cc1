# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.1", "duckdb>=2.0,<3", "pyarrow>=22", "pytz>=2025.2"]
# ///
"""Gradient boosting on account features, trained on labelled worlds: uv run --script boosted.py WORLD OUT LEARN...

What a team would train that has labels: volumes, hours, clients, models, statuses, lengths, and how many other accounts
an account shares its addresses, clients, system prompts, card and domain with. Nothing names a value, so that it
carries over to another world.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

FEATURES = """
WITH x AS (SELECT *, date_part('hour', time) AS hour FROM '{world}/exchanges.parquet'),
sharing AS (
  SELECT ip AS value, 'ip' AS kind, count(DISTINCT account_id) AS holders FROM x GROUP BY ip
  UNION ALL SELECT tls_fingerprint, 'tls', count(DISTINCT account_id) FROM x GROUP BY tls_fingerprint
  UNION ALL SELECT system_prompt, 'system', count(DISTINCT account_id) FROM x GROUP BY system_prompt
), traffic AS (
  SELECT x.account_id, count(*) AS exchanges, count(DISTINCT time::DATE) AS days,
    count(*) / count(DISTINCT time::DATE) AS daily, count(DISTINCT ip) AS ips, count(DISTINCT user_agent) AS agents,
    count(DISTINCT key_id) AS keys, count(DISTINCT model) AS models, count(DISTINCT hour) AS hours,
    count(DISTINCT access_path) AS paths, count(DISTINCT end_user_id) AS end_users,
    count(DISTINCT conversation_id) / count(*) AS conversations, count(DISTINCT system_prompt) / count(*) AS systems,
    count(DISTINCT prompt) / count(*) AS prompts, avg(messages) AS messages, avg(input_tokens) AS input_tokens,
    avg(output_tokens) AS output_tokens, avg(reasoning_tokens) AS reasoning_tokens, stddev(input_tokens) AS input_sd,
    stddev(output_tokens) AS output_sd, avg(temperature) AS temperature, avg(max_tokens) AS max_tokens,
    avg(logprobs::INT) AS logprobs, avg(n) AS n, avg(stream::INT) AS streamed, avg(batch::INT) AS batched,
    avg((status = 'refused')::INT) AS refused, avg((status <> 'ok')::INT) AS failed,
    avg((hour < 6)::INT) AS nightly, avg((isodow(time) > 5)::INT) AS weekend, stddev(epoch(time)) AS spread,
    avg(len(prompt)) AS prompt_length, avg((system_prompt IS NULL)::INT) AS without_system,
    avg(ip.holders) AS ip_holders, max(ip.holders) AS ip_most, avg(tls.holders) AS tls_holders,
    avg(s.holders) AS system_holders, max(s.holders) AS system_most
  FROM x LEFT JOIN sharing AS ip ON ip.kind = 'ip' AND ip.value = x.ip
  LEFT JOIN sharing AS tls ON tls.kind = 'tls' AND tls.value = x.tls_fingerprint
  LEFT JOIN sharing AS s ON s.kind = 'system' AND s.value = x.system_prompt
  GROUP BY x.account_id
), known AS (
  SELECT account_id, epoch((SELECT max(time) FROM x)) - epoch(created_at) AS age,
    (organization_id IS NOT NULL)::INT AS organised, (programme IS NOT NULL)::INT AS programme,
    (declared_use IS NOT NULL)::INT AS declared, (status = 'banned')::INT AS banned,
    CASE verification WHEN 'email' THEN 1 WHEN 'phone' THEN 2 WHEN 'identity' THEN 3 WHEN 'contract' THEN 4 ELSE 0 END
      AS verified, CASE plan WHEN 'free' THEN 0 WHEN 'enterprise' THEN 2 ELSE 1 END AS plan,
    count(*) OVER (PARTITION BY email_domain) AS domain_holders,
    count(*) OVER (PARTITION BY payment_fingerprint) * (payment_fingerprint IS NOT NULL)::INT AS card_holders,
    count(*) OVER (PARTITION BY device_fingerprint) * (device_fingerprint IS NOT NULL)::INT AS device_holders,
    count(*) OVER (PARTITION BY created_at::DATE) AS day_holders
  FROM '{world}/accounts.parquet'
)
SELECT t.*, k.* EXCLUDE (account_id) FROM traffic AS t LEFT JOIN known AS k USING (account_id) ORDER BY t.account_id
"""
SEED = 1
# Small trees: there are some hundreds of accounts to learn from. 31, the default, did no better and took twice as long.
LEAVES = 7


def features(world: Path) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Account ids, and a row of numbers each (NaN where unknown)."""
    with duckdb.connect() as connection:
        table = connection.sql(FEATURES.format(world=world)).to_arrow_table()
    columns = [np.array([np.nan if v is None else float(v) for v in c.to_pylist()]) for c in table.columns[1:]]
    return table["account_id"].to_pylist(), np.stack(columns, 1)


def labelled(world: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Features and guilt of a world's accounts."""
    accounts, x = features(world)
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT account_id, role FROM '{world}/truth_accounts.parquet'").fetchall()
    role = dict(rows)
    return x, np.array([role.get(a) == "member" for a in accounts])


def main() -> None:
    world, out, learn = Path(sys.argv[1]), Path(sys.argv[2]), [Path(p) for p in sys.argv[3:]]
    parts = [labelled(w) for w in learn]
    x, guilty = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    accounts, own = features(world)
    settings = {}
    for leaves in (7,):
        for weight in (None, "balanced"):
            model = HistGradientBoostingClassifier(
                max_leaf_nodes=leaves, min_samples_leaf=5, class_weight=weight, random_state=SEED, early_stopping=False
            )
            chance = model.fit(x, guilty).predict_proba(own)[:, 1]
            settings[f"{leaves} leaves, {weight or 'plain'} weights"] = dict(
                zip(accounts, chance.tolist(), strict=True)
            )
    out.write_text(json.dumps({"settings": settings, "windows": {}}), "utf-8")


if __name__ == "__main__":
    main()
