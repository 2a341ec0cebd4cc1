-- Exchanges that carry a job, and those that go on with a conversation which one of them opened: only the first message
-- holds the instruction, and a log's prompt is the last.
WITH opened AS (
  SELECT DISTINCT c.job, x.opening
  FROM carrying AS c
  JOIN traffic AS x ON x.exchange_no = c.exchange_no
  WHERE x.opening IS NOT NULL
), named AS (
  SELECT DISTINCT c.job, x.account_no, x.conversation_id
  FROM carrying AS c
  JOIN traffic AS x ON x.exchange_no = c.exchange_no
  WHERE x.conversation_id IS NOT NULL
)
SELECT job, exchange_no, account_no FROM carrying
UNION
SELECT o.job, t.exchange_no, t.account_no
FROM traffic AS t
JOIN opened AS o ON o.opening = t.history_first
UNION
SELECT o.job, t.exchange_no, t.account_no
FROM traffic AS t
JOIN opened AS o ON o.opening = t.history_second
UNION
SELECT o.job, t.exchange_no, t.account_no
FROM traffic AS t
JOIN named AS o ON o.conversation_id = t.conversation_id AND o.account_no = t.account_no
