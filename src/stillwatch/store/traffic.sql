-- The exchanges by number, without passages: what every later question about single exchanges is asked of.
SELECT
  e.exchange_no, p.account_no, e.key_id, e.end_user_id, e.conversation_id, e.time_us, e.day, e.bin, e.hour_of_week,
  e.history, e.history_before, e.opening,
  e.history_first, e.history_second, e.access_path, e.ip, e.block, e.network, e.hosting, e.user_agent, e.tls_fingerprint,
  e.model, e.system_prompt_hash, e.prompt_hash, e.tools_hash, e.temperature_milli, e.max_tokens, e.reasoning_budget,
  e.logprobs, e.n, e.stream, e.batch, e.messages, e.input_tokens, e.output_tokens, e.reasoning_tokens, e.status
FROM exchanges AS e
JOIN parties AS p ON p.account_id = e.account_id
