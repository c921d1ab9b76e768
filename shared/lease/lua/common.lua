-- Shared by all scripts. KEYS: lease, state, attach, incarnation, absence. ARGV: target, events channel, then the operation's own.
-- NEXT, the table of transitions, stands above this text; it is made from shared/lease/machine.py.
local LEASE, STATE, ATTACH, CLEARED, ABSENCE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local target, channel = ARGV[1], ARGV[2]
local here = incarnation()

local hash = {}
if STATE then -- many.lua looks at one lease after the other instead
  local flat = redis.call('HGETALL', STATE)
  for i = 1, #flat, 2 do hash[flat[i]] = flat[i + 1] end
end

local function int(number) return string.format('%.0f', number) end

-- For display only: no decision reads it.
local function wall_ms()
  local time = redis.call('TIME')
  return int(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
end

local function refuse(reason) return {'refused', reason, hash.last_epoch or '0'} end

-- The state after `operation`, or nil when the table does not hold it.
local function after(operation) return hash.state and NEXT[hash.state .. ' ' .. operation] end

local function publish()
  redis.call('PUBLISH', channel, string.format('{"target":"%s","lease_id":"%s","state":"%s","epoch":%s}',
    target, hash.lease_id, hash.state, hash.epoch))
end

local function enter(state)
  if state == hash.state then return end
  hash.state = state
  redis.call('HSET', STATE, 'state', state, 'changed_ms', wall_ms())
  -- The lease key names a live lease for dashboards; an ended one must not linger there.
  if state == 'released' or state == 'severed' or state == 'expired' then redis.call('DEL', LEASE) end
  publish()
end

-- Whether every boot that ever attached said that it is cut with nothing in flight. The count in the hash notices
-- a record that vanished.
local function all_clear()
  local flat = redis.call('HGETALL', ATTACH)
  if #flat / 2 ~= tonumber(hash.attachments) then return false end
  for i = 2, #flat, 2 do
    if string.sub(flat[i], 1, 4) ~= '1 0 ' then return false end
  end
  return true
end

local function complete()
  local state = after('complete')
  if state and all_clear() then enter(state) end
end
