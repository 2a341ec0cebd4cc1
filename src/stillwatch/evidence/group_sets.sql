-- The sets that hold one of a group's jobs.
SELECT DISTINCT g.group_no, s.set_no
FROM group_jobs AS g
JOIN set_jobs AS s ON s.job = g.job
