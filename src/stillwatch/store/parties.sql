-- Accounts seen in traffic, numbered by when they first came: numbers never follow from names.
SELECT
  row_number() OVER (ORDER BY first_us, exchanges DESC, output_tokens DESC, account_id) - 1 AS account_no,
  account_id, exchanges, output_tokens, first_us, last_us, days, bins, hours
FROM (
  SELECT
    account_id,
    count(*) AS exchanges,
    CAST(sum(coalesce(output_tokens, 0)) AS BIGINT) AS output_tokens,
    min(time_us) AS first_us,
    max(time_us) AS last_us,
    count(DISTINCT day) AS days,
    count(DISTINCT bin) AS bins,
    count(DISTINCT hour_of_week % 24) AS hours
  FROM exchanges
  GROUP BY account_id
)
