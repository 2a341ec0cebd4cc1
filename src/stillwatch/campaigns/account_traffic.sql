-- All that members send, whichever campaigns they are of: an account that serves two has one key, stolen or not.
SELECT DISTINCT account_no, exchange_no, day, block, key_id, job FROM member_traffic
