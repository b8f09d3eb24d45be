-- Puts a run into the list of all runs, behind those that are there. Not in the run's slot.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('ZADD', KEYS[1], 'NX', (last[2] or 0) + 1, ARGV[1])
return {'ok'}
