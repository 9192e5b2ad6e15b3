#!lua flags=allow-oom
-- Takes the lease on a ledger. Never creates a record. Taking it is a sign of life.
-- KEYS: record. ARGV: ledger, epoch.
-- Allowed when memory is full: it rewrites three numbers, and an owner that cannot come back cannot
-- trim what it has consumed.

-- Decimal texts of any length; a Lua number is exact only to 2^53.
local function older(a, b)
  return #a < #b or (#a == #b and a < b)
end

local held = redis.call('HMGET', KEYS[1], '_ledger', '_closed', '_epoch', '_incarnation')
if not held[1] then
  return {'missing'}
end
if held[1] ~= ARGV[1] then
  return {'other_ledger', held[1]}
end
if held[2] then
  return {'closed'}
end
if older(ARGV[2], held[3]) then
  return {'fenced', held[3]}
end
-- One command for both: they change together or not at all. The incarnation is exact to 2^53.
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], '_epoch', ARGV[2], '_incarnation', string.format('%.0f', held[4] + 1), '_beat', now)
return {'acquired', redis.call('HGETALL', KEYS[1])}
