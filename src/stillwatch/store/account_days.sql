SELECT account_no, day, count(*) AS exchanges, CAST(sum(coalesce(output_tokens, 0)) AS BIGINT) AS output_tokens
FROM traffic
GROUP BY account_no, day
