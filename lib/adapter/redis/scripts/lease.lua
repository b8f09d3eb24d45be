-- Prolongs a lease, gives it back, or leaves it: it stays the current one, but anyone may take it.
local what, epoch, lease_ms, id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local row = call('HMGET', KEYS[1], 'v', 'epoch', 'owner', 'held', 'freed')
local problem = no_run(row[1])
if problem then return problem end
if what == 'release' and row[2] == epoch and row[5] == id then
    touch()
    return {'ok', epoch}
end
problem = no_lease(row[2], row[4], row[3], epoch)
if problem then return problem end
if what == 'release' then
    call('HSET', KEYS[1], 'held', '0', 'freed', id)
elseif what == 'leave' then
    call('HSET', KEYS[1], 'ends', '0')
else
    call('HSET', KEYS[1], 'ends', whole(now_us() + lease_ms * 1000))
end
return {'ok', epoch}
