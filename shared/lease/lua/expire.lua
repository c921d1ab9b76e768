-- EXPIRE incarnation, lease, seq: an observer has seen exactly this for the whole window
if ARGV[3] ~= here then return refuse('other_incarnation') end
if hash.lease_id ~= ARGV[4] then return refuse('other_lease') end
if hash.seq ~= ARGV[5] then return refuse('renewed') end
local state = after('expire')
if not state then return refuse(hash.state) end
enter(state)
return {'state', hash.state}
