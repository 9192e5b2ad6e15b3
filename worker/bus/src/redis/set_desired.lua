#!lua flags=allow-oom
-- Sets the desired register if (generation, token) is newer than what it holds.
-- KEYS: register. ARGV: generation, token, value.
-- Allowed when memory is full: it replaces one value, and a stop must not wait for room.

-- Decimal texts of any length; a Lua number is exact only to 2^53.
local function older(a, b)
  return #a < #b or (#a == #b and a < b)
end

local held = redis.call('HMGET', KEYS[1], 'generation', 'token', 'value')
if held[1] then
  local same = held[1] == ARGV[1] and held[2] == ARGV[2]
  if same and held[3] == ARGV[3] then
    return {'applied'}
  end
  if same or older(ARGV[1], held[1]) or (ARGV[1] == held[1] and older(ARGV[2], held[2])) then
    return {'older', held[1], held[2]}
  end
end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'token', ARGV[2], 'value', ARGV[3])
return {'applied'}
