#!lua
-- Appends one message outside any commit.
-- KEYS: stream; then the record that must be open, if any must. ARGV: length to keep, age to keep, bound (each empty for none), v, data.
-- No flag in the header: refused whole when memory is full.

local stream, length, age, bound = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if KEYS[2] then
  local held = redis.call('HMGET', KEYS[2], '_ledger', '_closed')
  if not held[1] or held[2] then
    return {'closed'}
  end
end
if bound ~= '' and redis.call('XLEN', stream) >= tonumber(bound) then
  return {'busy'}
end
-- Before the first write: a script is not undone when a command in it is refused.
if age ~= '' and not redis.acl_check_cmd('XTRIM', stream, 'MINID', '0') then
  return redis.error_reply('NOPERM the user needs XADD and XTRIM to publish')
end
local id
if length == '' then
  id = redis.call('XADD', stream, '*', 'v', ARGV[4], 'data', ARGV[5])
else
  id = redis.call('XADD', stream, 'MAXLEN', '~', length, '*', 'v', ARGV[4], 'data', ARGV[5])
end
if age ~= '' then
  -- From the id just given: it is this server's clock.
  local oldest = tonumber(string.match(id, '^%d+')) - tonumber(age)
  redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', math.max(oldest, 0)))
end
return {'appended', id}
