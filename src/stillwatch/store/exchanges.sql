-- One row an exchange: what is read, without the repeats.
SELECT e.*
FROM enriched AS e
LEFT JOIN repeats AS r ON r.exchange_no = e.exchange_no
WHERE r.exchange_no IS NULL
