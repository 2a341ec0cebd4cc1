-- Where each of the members' exchanges came from. What several members use are the pool's exits: they are one place,
-- since a pool moves between them as it likes.
SELECT t.account_no, t.day, t.job, CASE WHEN u.users > 1 THEN 'exits of the pool' ELSE t.block END AS value
FROM member_traffic AS t
JOIN (
  SELECT block, count(DISTINCT account_no) AS users FROM member_traffic GROUP BY block
) AS u ON u.block = t.block
