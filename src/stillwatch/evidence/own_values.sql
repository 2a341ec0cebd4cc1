-- How many values stand in each account's cell and in no other.
SELECT set_no, account_no, count(*) AS values_of_own
FROM (SELECT min(set_no) AS set_no, min(account_no) AS account_no FROM cell_values GROUP BY value HAVING count(*) = 1)
GROUP BY set_no, account_no
