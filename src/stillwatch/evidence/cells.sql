-- What each account sends with each set of jobs: exchanges; those with a prompt, and prompts that no other cell has;
-- those of which the length of the conversation is known, and first ones; those that name an end user, and end users
-- that no other cell has.
SELECT c.set_no, c.account_no, c.exchanges, c.prompts, coalesce(p.values_of_own, 0) AS own_prompts, c.messages,
  c.single, c.passed_on, coalesce(u.values_of_own, 0) AS own_end_users
FROM (
  SELECT s.set_no, s.account_no, count(*) AS exchanges, count(t.prompt_hash) AS prompts, count(t.messages) AS messages,
    CAST(sum(CASE WHEN t.messages <= 2 THEN 1 ELSE 0 END) AS BIGINT) AS single, count(t.end_user_id) AS passed_on
  FROM exchange_sets AS s
  JOIN traffic AS t ON t.exchange_no = s.exchange_no
  GROUP BY s.set_no, s.account_no
) AS c
LEFT JOIN own_prompts AS p ON p.set_no = c.set_no AND p.account_no = c.account_no
LEFT JOIN own_end_users AS u ON u.set_no = c.set_no AND u.account_no = c.account_no
