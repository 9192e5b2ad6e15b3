#!lua flags=allow-oom
-- Closes a ledger for good: its head stays as a tombstone, what only it needed goes.
-- KEYS: record, then each stream to delete. ARGV: ledger, then the names of what stays in the record.
-- Allowed when memory is full: it frees memory, and a deletion must not wait for room. Made again, it completes what
-- an earlier call left.

local record = KEYS[1]
local held = redis.call('HGET', record, '_ledger')
if not held then
  return {'missing'}
end
if held ~= ARGV[1] then
  return {'other_ledger', held}
end
-- Before the first write: a script is not undone when a command in it is refused.
local may = redis.acl_check_cmd('HDEL', record, 'f')
for i = 2, #KEYS do
  may = may and redis.acl_check_cmd('UNLINK', KEYS[i])
end
if not may then
  return redis.error_reply('NOPERM the user needs HSET, HDEL and UNLINK to close a ledger')
end
redis.call('HSET', record, '_closed', '1')
local stays = {}
for i = 2, #ARGV do
  stays[ARGV[i]] = true
end
for _, name in ipairs(redis.call('HKEYS', record)) do
  if string.sub(name, 1, 1) ~= '_' and not stays[name] then
    redis.call('HDEL', record, name)
  end
end
for i = 2, #KEYS do
  redis.call('UNLINK', KEYS[i])
end
return {'closed'}
