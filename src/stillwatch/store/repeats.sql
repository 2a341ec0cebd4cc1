-- Of exchanges with one id all but the one that is kept: the earliest, ties broken by content so that file order never
-- matters. What is not compared here follows from what is; rows alike in all of it are the same row.
SELECT exchange_no
FROM (
  SELECT
    exchange_no,
    row_number() OVER (
      PARTITION BY exchange_id
      ORDER BY time_us, account_id, prompt_hash NULLS LAST, system_prompt_hash NULLS LAST, model NULLS LAST,
        key_id NULLS LAST, end_user_id NULLS LAST, conversation_id NULLS LAST, history NULLS LAST, opening NULLS LAST,
        history_first NULLS LAST, history_second NULLS LAST, history_before NULLS LAST, access_path NULLS LAST,
        ip NULLS LAST, user_agent NULLS LAST, tls_fingerprint NULLS LAST, tools_hash NULLS LAST,
        temperature_milli NULLS LAST, max_tokens NULLS LAST, reasoning_budget NULLS LAST, logprobs NULLS LAST,
        n NULLS LAST, stream NULLS LAST, batch NULLS LAST, messages NULLS LAST, input_tokens NULLS LAST,
        output_tokens NULLS LAST, reasoning_tokens NULLS LAST, status NULLS LAST, system_prompt_bytes NULLS LAST,
        prompt_bytes NULLS LAST, response_bytes NULLS LAST, exchange_no
    ) AS copy
  FROM enriched
  WHERE exchange_id IN (SELECT exchange_id FROM enriched GROUP BY exchange_id HAVING count(*) > 1)
)
WHERE copy > 1
