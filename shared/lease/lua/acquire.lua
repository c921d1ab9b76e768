-- ACQUIRE epoch, acquire id, ttl, holder, run, node, credential hash
local epoch, acquire_id, ttl_ms = tonumber(ARGV[3]), ARGV[4], ARGV[5]
-- Random, because counters may repeat after a failover; and with the name of the absence after which this state was made:
-- when the state was deleted since, the same ACQUIRE delivered late would otherwise bring an old lease id back to life.
local lease_id = int(epoch) .. '-' .. acquire_id .. '-' .. (hash.absence or '')
-- A repeated acquire id (its reply was lost) gets the same grant, never a second one.
if hash.lease_id == lease_id then
  if hash.state == 'held' then return {'granted', lease_id, hash.epoch, hash.seq, here} end
  return refuse('ended')
end
if not hash.state or redis.call('GET', CLEARED) ~= here then return refuse('embargoed') end
if epoch <= tonumber(hash.last_epoch) then return refuse('stale_epoch') end
if not after('acquire') then return refuse('held') end
local now = wall_ms()
redis.call('DEL', ATTACH)
redis.call('SET', LEASE, lease_id, 'PX', ttl_ms)
hash.lease_id, hash.epoch = lease_id, int(epoch)
redis.call('HSET', STATE, 'lease_id', lease_id, 'acquire_id', acquire_id, 'epoch', int(epoch),
  'last_epoch', int(epoch), 'seq', '1', 'confirmed_incarnation', '', 'confirmed_seq', '0', 'ttl_ms', ttl_ms,
  'holder', ARGV[6], 'run_id', ARGV[7], 'node', ARGV[8], 'credential_hash', ARGV[9], 'since_ms', now,
  'reason', '', 'attachments', '0')
enter(after('acquire'))
return {'granted', lease_id, int(epoch), '1', here}
