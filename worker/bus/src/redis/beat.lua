#!lua flags=allow-oom
-- Shows that an owner with nothing to commit lives. Fenced as a commit is.
-- KEYS: record, register. ARGV: ledger, epoch, incarnation.
-- Allowed when memory is full: it rewrites one number, and who is alive must not look dead for want of room.

local held = redis.call('HMGET', KEYS[1], '_ledger', '_closed', '_epoch', '_incarnation', '_version')
if not held[1] then
  return {'missing'}
end
if held[1] ~= ARGV[1] then
  return {'other_ledger', held[1]}
end
if held[2] then
  return {'closed'}
end
if held[3] ~= ARGV[2] or held[4] ~= ARGV[3] then
  return {'fenced', held[3], held[4]}
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], '_beat', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
local register = redis.call('HMGET', KEYS[2], 'generation', 'token')
return {'beaten', held[5], register[1] or '', register[2] or ''}
