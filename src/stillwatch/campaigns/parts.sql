-- Each member's part in each campaign: how much of the job and of other business, from when to when.
SELECT s.campaign_no, s.account_no, s.exchanges, s.other, s.first_us, s.last_us, s.own_first_us, m.probability_ppm,
  k.created_hour * 3600000000 AS created_us
FROM (
  SELECT campaign_no, account_no, CAST(sum(job) AS BIGINT) AS exchanges, CAST(sum(1 - job) AS BIGINT) AS other,
    min(CASE WHEN job = 1 THEN time_us END) AS first_us, max(CASE WHEN job = 1 THEN time_us END) AS last_us,
    min(CASE WHEN job = 0 THEN time_us END) AS own_first_us
  FROM member_traffic
  GROUP BY campaign_no, account_no
) AS s
JOIN campaign_members AS m ON m.campaign_no = s.campaign_no AND m.account_no = s.account_no
LEFT JOIN known_accounts AS k ON k.account_no = s.account_no
WHERE s.exchanges > 0
ORDER BY s.campaign_no, s.account_no
