-- Shared passages that stand around varied payloads: an instruction recurs with many prompts, a viral prompt with one.
SELECT c.passage, min(c.accounts) AS accounts, min(c.exchanges) AS exchanges, count(DISTINCT t.prompt_hash) AS prompts
FROM carried AS c
JOIN traffic AS t ON t.exchange_no = c.exchange_no
GROUP BY c.passage
HAVING count(DISTINCT t.prompt_hash) >= {least_prompts}
