-- ACQUIRE epoch, acquire id, lease id, ttl, holder, run, node, credential hash
local epoch, acquire_id, lease_id, ttl_ms = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
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
  'holder', ARGV[7], 'run_id', ARGV[8], 'node', ARGV[9], 'credential_hash', ARGV[10], 'since_ms', now,
  'reason', '', 'attachments', '0')
enter(after('acquire'))
return {'granted', lease_id, int(epoch), '1', here}
