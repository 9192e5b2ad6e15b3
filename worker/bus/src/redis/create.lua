#!lua
-- Makes the record of an owner, unless an open one stands there.
-- KEYS: record, register. ARGV: ledger, uid, then names and values of fields.
-- No flag in the header: refused whole when memory is full.

local held = redis.call('HMGET', KEYS[1], '_ledger', '_uid', '_closed')
if held[1] and not held[3] then
  return {'exists', held[2], held[1]}
end
-- A tombstone must keep refusing its own ledger: draw another one.
if held[1] == ARGV[1] then
  return {'taken'}
end
-- Before the first write: a user that may DEL but not HSET would lose the tombstone.
if not (redis.acl_check_cmd('HSET', KEYS[1], 'f', 'v') and redis.acl_check_cmd('PERSIST', KEYS[2])) then
  return redis.error_reply('NOPERM the user needs DEL, HSET and PERSIST to create a record')
end
redis.call('DEL', KEYS[1])
-- The register of a closed ledger is about to go; the next ledger's is this one, and stays.
redis.call('PERSIST', KEYS[2])
redis.call('HSET', KEYS[1],
  '_ledger', ARGV[1], '_uid', ARGV[2],
  '_epoch', '0', '_incarnation', '0', '_version', '0', '_commit', '')
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
return {'created'}
