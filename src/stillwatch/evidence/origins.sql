-- What accounts have that could be one person's or one place's, as numbers: a card, a device, a telephone, a mail address,
-- or the block from which half of their traffic comes. What one account alone has is a number of that account's own.
WITH had AS (
  SELECT account_no, 'card' AS what, payment_fingerprint AS value FROM known_accounts
  WHERE payment_fingerprint IS NOT NULL
  UNION ALL
  SELECT account_no, 'device' AS what, device_fingerprint AS value FROM known_accounts
  WHERE device_fingerprint IS NOT NULL
  UNION ALL
  SELECT account_no, 'telephone' AS what, phone_hash AS value FROM known_accounts WHERE phone_hash IS NOT NULL
  UNION ALL
  SELECT account_no, 'mail' AS what, email_hash AS value FROM known_accounts WHERE email_hash IS NOT NULL
  UNION ALL
  SELECT t.account_no, 'place' AS what, t.block AS value
  FROM account_exits AS t
  JOIN parties AS p ON p.account_no = t.account_no
  WHERE t.block IS NOT NULL
  GROUP BY t.account_no, t.block
  HAVING 2 * CAST(sum(t.exchanges) AS BIGINT) >= max(p.exchanges)
)
SELECT account_no, origin
FROM (
  SELECT account_no, dense_rank() OVER (ORDER BY what, value) AS origin,
    count(*) OVER (PARTITION BY what, value) AS holders
  FROM had
)
WHERE holders > 1
UNION ALL
SELECT DISTINCT account_no, -1 - account_no AS origin FROM had
