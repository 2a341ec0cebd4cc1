-- What each member of a group sends of its jobs.
SELECT g.group_no, x.*
FROM group_sets AS g
JOIN {cells} AS x ON x.set_no = g.set_no
JOIN candidates AS c ON c.group_no = g.group_no AND c.account_no = x.account_no
