-- CONFIRM lease, incarnation, seq: the replicas have this seq
local lease_id, incarnation_then, seq = ARGV[3], ARGV[4], tonumber(ARGV[5])
if hash.lease_id ~= lease_id then return refuse('other_lease') end
if not after('confirm') then return refuse(hash.state) end
if incarnation_then ~= here then return refuse('other_incarnation') end
if seq > tonumber(hash.seq) then return refuse('unknown_seq') end
if hash.confirmed_incarnation ~= here or tonumber(hash.confirmed_seq) < seq then
  redis.call('HSET', STATE, 'confirmed_incarnation', here, 'confirmed_seq', int(seq))
end
return {'confirmed'}
