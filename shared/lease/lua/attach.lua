-- ATTACH lease, proxy, boot, limit
local lease_id, field, limit = ARGV[3], ARGV[4] .. '/' .. ARGV[5], tonumber(ARGV[6])
if hash.lease_id ~= lease_id then return refuse('other_lease') end
if not after('attach') then return refuse(hash.state) end
local record = redis.call('HGET', ATTACH, field)
if record then
  -- A boot that said that it is cut never signs for this lease again.
  if string.sub(record, 1, 1) == '1' then return refuse('acknowledged') end
else
  if redis.call('HLEN', ATTACH) >= limit then return refuse('too_many') end
  redis.call('HINCRBY', STATE, 'attachments', 1)
end
redis.call('HSET', ATTACH, field, '0 0 ' .. here)
return {'attached', hash.seq, here}
