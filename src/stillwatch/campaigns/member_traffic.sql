-- All that the members of each campaign send, each exchange marked as the job or as their own business. What belongs to
-- another campaign is neither.
SELECT m.campaign_no, m.account_no, t.exchange_no, t.time_us, t.day, t.block, t.key_id,
  CASE WHEN c.exchange_no IS NULL THEN 0 ELSE 1 END AS job
FROM campaign_members AS m
JOIN traffic AS t ON t.account_no = m.account_no
LEFT JOIN campaign_traffic AS c ON c.campaign_no = m.campaign_no AND c.exchange_no = t.exchange_no
LEFT JOIN (SELECT DISTINCT exchange_no FROM campaign_traffic) AS x ON x.exchange_no = t.exchange_no
WHERE c.exchange_no IS NOT NULL OR x.exchange_no IS NULL
