#!lua flags=allow-oom
-- Closes a ledger for good: its head stays as a tombstone, what only it needed goes.
-- KEYS: record, register, then each stream to delete. ARGV: ledger, how long tombstone and register stay in
--   milliseconds, then the names of what stays in the record.
-- Allowed when memory is full: it frees memory, and a deletion must not wait for room.

local record, register = KEYS[1], KEYS[2]
local all = redis.call('HGETALL', record)
local held = {}
for i = 1, #all, 2 do
  held[all[i]] = all[i + 1]
end
if not held['_ledger'] then
  return {'missing'}
end
if held['_ledger'] ~= ARGV[1] then
  return {'other_ledger', held['_ledger']}
end

-- Beside those given, the streams that its commits named as its own: in the same scope, so in the same slot.
local streams = {}
for i = 3, #KEYS do
  streams[#streams + 1] = KEYS[i]
end
for stream in string.gmatch(held['_streams'] or '', '%S+') do
  streams[#streams + 1] = stream
end
-- Before the first write: a script is not undone when a command in it is refused.
local allowed = redis.acl_check_cmd
local may = allowed('DEL', record) and allowed('HSET', record, 'f', 'v') and allowed('PEXPIRE', record, '1')
  and allowed('PEXPIRE', register, '1')
for _, stream in ipairs(streams) do
  may = may and allowed('UNLINK', stream)
end
if not may then
  return redis.error_reply('NOPERM the user needs DEL, HSET, PEXPIRE and UNLINK to close a ledger')
end

local stays = {_closed = true}
for i = 3, #ARGV do
  stays[ARGV[i]] = true
end
held['_closed'], held['_streams'] = '1', nil
-- Written anew: a hash that was large once stays large after its fields are gone.
redis.call('DEL', record)
for name, value in pairs(held) do
  if string.sub(name, 1, 1) == '_' or stays[name] then
    redis.call('HSET', record, name, value)
  end
end
redis.call('PEXPIRE', record, ARGV[2])
redis.call('PEXPIRE', register, ARGV[2])
for _, stream in ipairs(streams) do
  redis.call('UNLINK', stream)
end
return {'closed'}
