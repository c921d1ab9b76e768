-- VIEW: everything about the target at one instant; changes nothing
return {'view', here, redis.call('GET', CLEARED) or '', redis.call('PTTL', LEASE), redis.call('HGETALL', STATE),
  redis.call('HGETALL', ATTACH), not hash.state and redis.call('GET', ABSENCE) or ''}
