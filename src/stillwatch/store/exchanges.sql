-- One row an exchange, a repeated id kept once: the earliest, ties broken by content so that file order never matters.
SELECT * EXCLUDE (copy)
FROM (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY exchange_id
      ORDER BY time_us, account_id, prompt_hash NULLS LAST, system_prompt_hash NULLS LAST, model NULLS LAST, exchange_no
    ) AS copy
  FROM enriched
)
WHERE copy = 1
