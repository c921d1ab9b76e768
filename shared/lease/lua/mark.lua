-- MARK incarnation, random text: names the absence of the state, for an observer that begins to wait for its end
if ARGV[3] ~= here then return refuse('other_incarnation') end
if hash.state then return {'marked', ''} end
local name = redis.call('GET', ABSENCE)
if not name then
  -- Random and dated: neither two callers nor one command delivered twice may give two absences the same name.
  local time = redis.call('TIME')
  name = ARGV[4] .. '.' .. time[1] .. string.format('%06d', tonumber(time[2]))
  redis.call('SET', ABSENCE, name)
end
return {'marked', name}
