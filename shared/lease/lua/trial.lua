-- Calls once what the other scripts call, and says what is refused. KEYS: one key, which is gone at the end.
-- ARGV: a TTL, a channel, a harmless event.
local key, refused = KEYS[1], {}
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refused[#refused + 1] = ... .. ': ' .. reply.err end
end
try('INFO', 'server')
try('TIME')
try('DEL', key)
try('SET', key, '1', 'PX', ARGV[1])
try('GET', key)
try('PEXPIRE', key, ARGV[1])
try('PTTL', key)
try('DEL', key)
try('HSET', key, 'a', '1', 'b', '2')
try('HGET', key, 'a')
try('HMGET', key, 'a', 'b')
try('HGETALL', key)
try('HLEN', key)
try('HINCRBY', key, 'a', 1)
try('DEL', key)
try('PUBLISH', ARGV[2], ARGV[3])
return refused
