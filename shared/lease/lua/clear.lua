-- CLEAR incarnation, database epoch, absence: an observer has seen exactly this for the whole embargo
local epoch = tonumber(ARGV[4])
if ARGV[3] ~= here then return refuse('other_incarnation') end
-- It ends the absence that was waited for and no later one, however late or often it is delivered. Empty: there was a state.
local absence = ''
if not hash.state then absence = redis.call('GET', ABSENCE) or '(nobody waits)' end
if ARGV[5] ~= absence then return refuse('other_absence') end
-- The floor: an empty server must not be won by a late ACQUIRE of an epoch that the database has left behind.
local last = math.max(tonumber(hash.last_epoch or '0'), epoch - 1, 0)
if not hash.state then
  redis.call('DEL', LEASE, ATTACH, ABSENCE)
  hash.lease_id, hash.epoch = '', '0'
  redis.call('HSET', STATE, 'lease_id', '', 'acquire_id', '', 'epoch', '0', 'seq', '0', 'confirmed_incarnation', '',
    'confirmed_seq', '0', 'ttl_ms', '0', 'holder', '', 'run_id', '', 'node', '', 'credential_hash', '',
    'since_ms', '0', 'reason', '', 'attachments', '0', 'absence', absence)
  enter('free')
elseif hash.state == 'held' and tonumber(hash.epoch) < epoch then
  redis.call('HSET', STATE, 'reason', 'fenced off by epoch ' .. int(epoch))
  enter(after('revoke'))
  complete()
end
redis.call('HSET', STATE, 'last_epoch', int(last))
redis.call('SET', CLEARED, here)
return {'cleared', int(last)}
