-- Which key sent each of the members' exchanges.
SELECT account_no, day, job, key_id AS value FROM member_traffic
