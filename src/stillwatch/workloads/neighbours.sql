-- How often two recurring passages stand in one exchange. Each exchange's passages are put in order of how often they
-- occur, and only neighbours are paired: passages of one template occur equally often, so they come to stand together,
-- and the work grows with the passages and not with their square.
SELECT a, b, count(*) AS together
FROM (
  SELECT
    c.passage AS a,
    lag(c.passage) OVER (PARTITION BY c.exchange_no ORDER BY r.exchanges, c.passage) AS b
  FROM carried AS c
  JOIN recurring AS r ON r.passage = c.passage
)
WHERE b IS NOT NULL
GROUP BY a, b
