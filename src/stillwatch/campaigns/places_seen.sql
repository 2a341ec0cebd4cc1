-- From which block of addresses each of the members' exchanges came.
SELECT campaign_no, account_no, day, job, block AS value FROM member_traffic
