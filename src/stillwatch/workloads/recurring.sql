-- Shared passages that stand around varied payloads: an instruction recurs with many prompts, a viral prompt with one.
SELECT s.passage, s.accounts, s.exchanges, p.prompts
FROM shared AS s
JOIN (
  SELECT passage, count(*) AS prompts
  FROM (SELECT DISTINCT passage, prompt_hash FROM carried WHERE prompt_hash IS NOT NULL)
  GROUP BY passage
) AS p ON p.passage = s.passage
WHERE p.prompts >= {least_prompts}
