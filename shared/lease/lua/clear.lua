-- CLEAR incarnation, database epoch: an observer has seen this incarnation for the whole embargo
local epoch = tonumber(ARGV[4])
if ARGV[3] ~= here then return refuse('other_incarnation') end
-- The floor: an empty server must not be won by a late ACQUIRE of an epoch that the database has left behind.
local last = math.max(tonumber(hash.last_epoch or '0'), epoch - 1, 0)
if not hash.state then
  redis.call('DEL', LEASE, ATTACH)
  hash.lease_id, hash.epoch = '', '0'
  redis.call('HSET', STATE, 'lease_id', '', 'acquire_id', '', 'epoch', '0', 'seq', '0', 'confirmed_incarnation', '',
    'confirmed_seq', '0', 'ttl_ms', '0', 'holder', '', 'run_id', '', 'node', '', 'credential_hash', '',
    'since_ms', '0', 'reason', '', 'attachments', '0')
  enter('free')
elseif hash.state == 'held' and tonumber(hash.epoch) < epoch then
  redis.call('HSET', STATE, 'reason', 'fenced off by epoch ' .. int(epoch))
  enter(after('revoke'))
  complete()
end
redis.call('HSET', STATE, 'last_epoch', int(last))
redis.call('SET', CLEARED, here)
return {'cleared', int(last)}
