-- From which block of addresses each of the members' exchanges came.
SELECT account_no, day, job, block AS value FROM member_traffic
