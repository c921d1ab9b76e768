-- ACKNOWLEDGE lease, proxy, boot, in flight: that boot's gate is shut and its connections are cut
local field, in_flight = ARGV[4] .. '/' .. ARGV[5], tonumber(ARGV[6])
if hash.lease_id ~= ARGV[3] then return refuse('other_lease') end
if not after('acknowledge') then return refuse(hash.state or 'free') end
-- The exact record only: a new boot never replaces an old one or speaks for it.
local record = redis.call('HGET', ATTACH, field)
if not record then return refuse('not_attached') end
local acknowledged, before, attached_in = string.match(record, '^(%d) (%d+) (.*)$')
-- Behind a shut gate the count only falls; a late repetition must not raise it.
if acknowledged == '1' then in_flight = math.min(in_flight, tonumber(before)) end
redis.call('HSET', ATTACH, field, '1 ' .. int(in_flight) .. ' ' .. attached_in)
complete()
return {'state', hash.state}
