#!lua flags=allow-oom
-- Closes a ledger for good. The record stays readable; only create replaces it.
-- KEYS: record. ARGV: ledger.
-- Allowed when memory is full: it adds one byte, and a deletion must not wait for room.

local held = redis.call('HGET', KEYS[1], '_ledger')
if not held then
  return {'missing'}
end
if held ~= ARGV[1] then
  return {'other_ledger', held}
end
redis.call('HSET', KEYS[1], '_closed', '1')
return {'closed'}
