-- Shared passages that stand around varied payloads: an instruction recurs with many prompts, a viral prompt with one.
SELECT passage, accounts, exchanges, prompts
FROM shared
WHERE prompts >= {least_prompts}
