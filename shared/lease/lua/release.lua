-- RELEASE lease: the holder is done; from here no proxy may sign
if hash.lease_id ~= ARGV[3] then return refuse('other_lease') end
local state = after('release')
if not state then return refuse(hash.state) end
enter(state)
complete()
return {'state', hash.state}
