-- On how many days the job and the member's own business were seen with each value: a place, or a key.
SELECT campaign_no, account_no, value,
  count(DISTINCT CASE WHEN job = 1 THEN day END) AS job_days,
  count(DISTINCT CASE WHEN job = 0 THEN day END) AS own_days,
  CAST(sum(job) AS BIGINT) AS job
FROM seen
WHERE value IS NOT NULL
GROUP BY campaign_no, account_no, value
ORDER BY campaign_no, account_no, value
