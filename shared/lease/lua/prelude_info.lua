-- The incarnation of this server: run_id changes with a restart, master_replid with a failover.
-- Both are needed: a process that is promoted again keeps its run_id.
local function incarnation()
  local info = redis.call('INFO', 'server', 'replication')
  if string.match(info, 'role:(%w+)') ~= 'master' then
    error({err = 'READONLY leases are read and written on the primary only'})
  end
  return string.match(info, 'run_id:(%w+)') .. ':' .. string.match(info, 'master_replid:(%w+)')
end
