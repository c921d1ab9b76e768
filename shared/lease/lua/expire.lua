-- EXPIRE incarnation, lease, seq, waited: an observer has seen exactly this for W, and for Q too if waited is 1
if ARGV[3] ~= here then return refuse('other_incarnation') end
if hash.lease_id ~= ARGV[4] then return refuse('other_lease') end
if hash.seq ~= ARGV[5] then return refuse('renewed') end
local state = after('expire')
if not state then return refuse(hash.state) end
-- Without Q every boot on record must have acknowledged. That is looked at here, now: what the observer was shown may be
-- old, and a boot may have attached, opened its gate and passed its deadline since.
if ARGV[6] ~= '1' and not all_clear() then return refuse('not_clear') end
enter(state)
return {'state', hash.state}
