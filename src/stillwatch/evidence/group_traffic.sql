-- The exchanges of each group's members that carry its jobs.
SELECT g.group_no, t.*
FROM group_sets AS g
JOIN exchange_sets AS x ON x.set_no = g.set_no
JOIN candidates AS c ON c.group_no = g.group_no AND c.account_no = x.account_no
JOIN traffic AS t ON t.exchange_no = x.exchange_no
