-- From where each account sends, and how often.
SELECT account_no, ip, block, network, count(*) AS exchanges
FROM traffic
WHERE ip IS NOT NULL
GROUP BY account_no, ip, block, network
