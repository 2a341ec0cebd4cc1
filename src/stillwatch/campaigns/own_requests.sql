-- What members send that no job stands for: one row a member, with how many conversations it opened so, and how many of
-- these are free: without any passage that recurs among them.
WITH opened AS (
  SELECT m.campaign_no, m.account_no, m.exchange_no, t.prompt_hash
  FROM member_traffic AS m
  JOIN traffic AS t ON t.exchange_no = m.exchange_no
  WHERE m.job = 0 AND coalesce(t.messages, 1) <= 2
), carried_there AS (
  SELECT o.campaign_no, o.exchange_no, o.prompt_hash, unnest(e.system_prompt_passages) AS passage
  FROM opened AS o JOIN exchanges AS e ON e.exchange_no = o.exchange_no
  UNION ALL
  SELECT o.campaign_no, o.exchange_no, o.prompt_hash, unnest(e.prompt_passages) AS passage
  FROM opened AS o JOIN exchanges AS e ON e.exchange_no = o.exchange_no
), recurring_there AS (
  SELECT campaign_no, passage FROM carried_there GROUP BY campaign_no, passage HAVING min(prompt_hash) <> max(prompt_hash)
), bound AS (
  SELECT DISTINCT c.campaign_no, c.exchange_no
  FROM carried_there AS c
  JOIN recurring_there AS r ON r.campaign_no = c.campaign_no AND r.passage = c.passage
)
SELECT o.campaign_no, o.account_no, count(*) AS opened,
  CAST(sum(CASE WHEN b.exchange_no IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS free
FROM opened AS o
LEFT JOIN bound AS b ON b.campaign_no = o.campaign_no AND b.exchange_no = o.exchange_no
GROUP BY o.campaign_no, o.account_no
ORDER BY o.campaign_no, o.account_no
