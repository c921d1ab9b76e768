-- RENEW lease
local lease_id = ARGV[3]
if hash.lease_id ~= lease_id then return refuse('other_lease') end
if not after('renew') then return refuse(hash.state) end
-- A key that is gone is not made again: whoever saw it gone may have acted on it.
if redis.call('GET', LEASE) ~= lease_id then return refuse('key_gone') end
redis.call('PEXPIRE', LEASE, hash.ttl_ms)
return {'renewed', int(redis.call('HINCRBY', STATE, 'seq', 1)), here}
