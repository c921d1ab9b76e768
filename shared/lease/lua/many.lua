-- RENEW or CONFIRM for many leases in one call. The operation's own text stands in the marked place and sees one lease
-- at a time: it is the same text, so it keeps the same rules. INFO is asked once for all of them.
-- KEYS: lease and state of each. ARGV: the number of the operation's arguments, the events channel, the arguments of each.
local ALL_KEYS, ALL_ARGV = KEYS, ARGV
local KEYS, ARGV = {}, {'', ALL_ARGV[2]}
-- <the common part>

local width = tonumber(ALL_ARGV[1])
-- What renew.lua and confirm.lua read; the rest of the state is for others, and not reading it halves the cost.
local FIELDS = {'lease_id', 'state', 'seq', 'ttl_ms', 'last_epoch', 'confirmed_incarnation', 'confirmed_seq'}

local function operation(ARGV)
-- <the operation>
end

local function one(i)
  LEASE, STATE, hash = ALL_KEYS[2 * i - 1], ALL_KEYS[2 * i], {}
  local values = redis.call('HMGET', STATE, unpack(FIELDS))
  for n = 1, #FIELDS do hash[FIELDS[n]] = values[n] or nil end
  local from = 2 + (i - 1) * width
  return operation({target, channel, unpack(ALL_ARGV, from + 1, from + width)})
end

local replies = {}
for i = 1, #ALL_KEYS / 2 do
  -- One lease's broken key must not cost the others their renewal.
  local done, reply = pcall(one, i)
  replies[i] = done and reply or {'failed', type(reply) == 'table' and reply.err or tostring(reply)}
end
return replies
