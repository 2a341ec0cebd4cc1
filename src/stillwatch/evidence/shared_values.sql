-- Of the values that accounts send with sets of jobs those that stand in several of these cells, all others being
-- counted by `own_values`.
SELECT v.set_no, v.account_no, v.value
FROM cell_values AS v
JOIN (SELECT value FROM cell_values GROUP BY value HAVING count(*) > 1) AS s ON s.value = v.value
