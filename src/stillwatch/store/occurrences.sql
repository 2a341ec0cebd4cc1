-- Every passage of every exchange. Whether a passage is shared is derived later, one range of hashes at a time.
SELECT passage, exchange_no, account_no, prompt_hash
FROM (
  SELECT unnest(e.system_prompt_passages) AS passage, e.exchange_no, p.account_no, e.prompt_hash
  FROM exchanges AS e
  JOIN parties AS p ON p.account_id = e.account_id
  UNION ALL
  SELECT unnest(e.prompt_passages) AS passage, e.exchange_no, p.account_no, e.prompt_hash
  FROM exchanges AS e
  JOIN parties AS p ON p.account_id = e.account_id
)
