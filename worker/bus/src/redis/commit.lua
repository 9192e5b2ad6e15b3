#!lua
-- Applies everything an owner does at once, or nothing. Never creates a record.
-- KEYS: record, register, then each stream that is written or trimmed, once.
-- ARGV: ledger, epoch, incarnation, expected version, next version, commit id, followed version of the register or '',
--   whether it was judged by that version: '1' or '', numbers of deletes, pairs, trims, messages; then
--   deletes:  name
--   pairs:    name, value; the last one is the name of its time, whose value is set here
--   trims:    index in KEYS, first id to keep
--   messages: index in KEYS, length to keep, age to keep, bound (each empty for none), v, data
-- No flag in the header: refused whole, before its first line, when memory is full. Lua has no
-- rollback: everything that can be refused is looked at before the first write.
-- The server does nothing else meanwhile, and each call costs it as much as a short command: none is made twice.

local call, allowed = redis.call, redis.acl_check_cmd
local record = KEYS[1]
local register = call('HMGET', KEYS[2], 'generation', 'token')
local generation, token = register[1] or '', register[2] or ''
local held = call('HMGET', record, '_ledger', '_closed', '_epoch', '_incarnation', '_version', '_commit')

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
if held[5] == ARGV[5] and held[6] == ARGV[6] then
  return {'duplicate', generation, token}
end
if held[5] ~= ARGV[4] then
  return {'conflict', held[5]}
end
if ARGV[8] == '1' and generation ~= '' and generation .. '.' .. token ~= ARGV[7] then
  return {'register_news', generation, token}
end

local deletes, pairs_, trims, messages =
  tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local first_delete = 13
local first_pair = first_delete + deletes
local first_trim = first_pair + 2 * pairs_
local first_message = first_trim + 2 * trims

local lengths = {}
for i = 3, #KEYS do
  local length = redis.pcall('XLEN', KEYS[i])
  if type(length) == 'table' then
    local kind = call('TYPE', KEYS[i]).ok
    if kind ~= 'none' and kind ~= 'stream' then
      return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. kind .. ', not a stream')
    end
    return length
  end
  lengths[i] = length
end
-- Rights too: a user that may HSET but not XADD would otherwise be stopped half-way.
local may = allowed('HSET', record, 'f', 'v') and allowed('HDEL', record, 'f')
for i = 3, #KEYS do
  may = may and allowed('XADD', KEYS[i], '*', 'v', '1', 'data', '') and allowed('XTRIM', KEYS[i], 'MINID', '0')
end
if not may then
  return redis.error_reply('NOPERM the user needs HSET, HDEL, XADD and XTRIM on every key of a commit')
end
for at = first_message, first_message + 6 * (messages - 1), 6 do
  local bound = ARGV[at + 3]
  if bound ~= '' then
    local stream = tonumber(ARGV[at])
    if lengths[stream] >= tonumber(bound) then
      return {'busy', KEYS[stream]}
    end
  end
end

for at = first_trim, first_message - 2, 2 do
  call('XTRIM', KEYS[tonumber(ARGV[at])], 'MINID', ARGV[at + 1])
end

-- In parts: Lua cannot unpack more than 8,000 values. The size is even, so pairs stay whole.
local function in_parts(command, first, last)
  while first <= last do
    local till = math.min(first + 3999, last)
    call(command, record, unpack(ARGV, first, till))
    first = till + 1
  end
end
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
ARGV[first_trim - 1] = string.format('%.0f', now)
in_parts('HDEL', first_delete, first_pair - 1)
in_parts('HSET', first_pair, first_trim - 1)

-- Whole nodes go, of a hundred entries: to look for one in 16 commits is often enough.
local looks = now % 16 == 0
local answer = {'committed', generation, token}
for at = first_message, first_message + 6 * (messages - 1), 6 do
  local stream, length, age = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2]
  if length == '' then
    answer[#answer + 1] = call('XADD', stream, '*', 'v', ARGV[at + 4], 'data', ARGV[at + 5])
  else
    answer[#answer + 1] =
      call('XADD', stream, 'MAXLEN', '~', length, '*', 'v', ARGV[at + 4], 'data', ARGV[at + 5])
  end
  if looks and age ~= '' then
    call('XTRIM', stream, 'MINID', '~', string.format('%.0f', math.max(now - tonumber(age), 0)))
  end
end
return answer
