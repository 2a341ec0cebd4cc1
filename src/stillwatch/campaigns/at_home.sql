-- How many of a member's exchanges for a campaign come from places where its own business is seen on more days than the
-- job.
SELECT t.campaign_no, t.account_no, count(*) AS exchanges
FROM member_traffic AS t
JOIN (
  SELECT account_no, block FROM member_traffic WHERE block IS NOT NULL GROUP BY account_no, block
  HAVING count(DISTINCT CASE WHEN job = 0 THEN day END) > count(DISTINCT CASE WHEN job = 1 THEN day END)
) AS s ON s.account_no = t.account_no AND s.block = t.block
WHERE t.job = 1
GROUP BY t.campaign_no, t.account_no
ORDER BY t.campaign_no, t.account_no
