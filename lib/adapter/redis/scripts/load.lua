-- The end of a load, all of one moment: the run's row, its hosts, and the records that came while the rows of its tasks
-- were read. The touch is what WAIT waits for, so that nothing is shown that a failover could undo.
local since, must_touch = ARGV[1], ARGV[2] == '1'
local row = call('HMGET', KEYS[1], 'v', 'state', 'epoch', 'seq', 'created', 'tasks')
local problem = no_run(row[1])
if problem then return problem end
if must_touch then touch() end
return {'ok', row[2], row[3], row[4], row[5], row[6], call('HGETALL', KEYS[5]),
    call('XRANGE', KEYS[4], '(' .. since .. '-18446744073709551615', '+')}
