-- On how many days the job and the member's own business were seen with each value, a place or a key: the jobs of all
-- campaigns that the account is of, since it has one key, stolen or not.
SELECT account_no, value,
  count(DISTINCT CASE WHEN job = 1 THEN day END) AS job_days,
  count(DISTINCT CASE WHEN job = 0 THEN day END) AS own_days
FROM seen
WHERE value IS NOT NULL
GROUP BY account_no, value
ORDER BY account_no, value
