-- Where the shared passages stand: one row a passage and exchange.
SELECT DISTINCT o.passage, o.exchange_no, o.account_no, o.prompt_hash
FROM occurrences AS o
JOIN shared AS s ON s.passage = o.passage
