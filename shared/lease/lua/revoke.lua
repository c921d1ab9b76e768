-- REVOKE lease, reason: taken from the holder; from here no proxy may sign
if hash.lease_id ~= ARGV[3] then return refuse('other_lease') end
local state = after('revoke')
if not state then return refuse(hash.state) end
if hash.state == 'held' then redis.call('HSET', STATE, 'reason', ARGV[4]) end
enter(state)
complete()
return {'state', hash.state}
