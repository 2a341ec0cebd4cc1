-- Passages of one range of hashes that at least two accounts carry and that stand often enough to recur.
SELECT passage, count(DISTINCT account_no) AS accounts, count(DISTINCT exchange_no) AS exchanges,
  count(DISTINCT prompt_hash) AS prompts
FROM occurrences
WHERE passage BETWEEN {low} AND {high}
  AND passage IN (
    SELECT passage FROM occurrences WHERE passage BETWEEN {low} AND {high}
    GROUP BY passage HAVING min(account_no) <> max(account_no) AND count(*) >= {least}
  )
GROUP BY passage
