-- Takes the lease. The number of the call makes it once: a resend, or a copy that was late, gets the same epoch.
local owner, handle, number, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local row = call('HMGET', KEYS[1], 'v', 'epoch', 'owner', 'handle', 'number', 'held', 'ends')
local problem = no_run(row[1])
if problem then return problem end
local is_own = row[4] == handle
if is_own and tonumber(row[5]) >= number then
    touch()
    return {'ok', row[2]}
end
local now = now_us()
local left = tonumber(row[7]) - now
if row[6] == '1' and left > 0 and not (is_own and row[3] == owner) then
    return {'held', row[3], whole(math.ceil(left / 1000))}
end
local epoch = whole(tonumber(row[2]) + 1)
call('HSET', KEYS[1], 'epoch', epoch, 'owner', owner, 'handle', handle, 'number', whole(number), 'held', '1',
    'ends', whole(now + lease_ms * 1000))
call('DEL', KEYS[3])
return {'ok', epoch}
