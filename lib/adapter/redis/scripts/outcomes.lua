-- Keeps outcomes: whole in one stream, short in a sorted set by the end of each host, kind and task. The number of the
-- call makes it once. Each outcome is: host, kind, key of its task, milliseconds of its end, short, whole.
local handle, number, keep, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local calls = KEYS[1] .. ':calls:' .. handle
if tonumber(call('GET', calls) or '0') >= number then return {'ok'} end
local function add(key, score, value)
    call('ZADD', key, score, value)
    call('ZREMRANGEBYSCORE', key, '-inf', '(' .. whole(tonumber(score) - keep_ms))
    call('ZREMRANGEBYRANK', key, 0, -keep - 1)
    call('PEXPIRE', key, whole(keep_ms))
end
for i = 5, #ARGV, 6 do
    local score, short = ARGV[i + 3], ARGV[i + 4]
    call('XADD', KEYS[1] .. ':outcomes', 'MAXLEN', keep < 1000 and '=' or '~', whole(keep), '*', 'o', ARGV[i + 5])
    add(KEYS[1] .. ':ends:' .. ARGV[i], score, short)
    add(KEYS[1] .. ':kind:' .. ARGV[i + 1], score, short)
    add(KEYS[1] .. ':task:' .. ARGV[i + 2], score, short)
    call('ZADD', KEYS[1] .. ':tasks', score, KEYS[1] .. ':task:' .. ARGV[i + 2])
end
call('XTRIM', KEYS[1] .. ':outcomes', 'MINID', '~', whole(math.max(0, now_us() / 1000 - keep_ms)))
trim_index(KEYS[1] .. ':tasks', keep)
call('SET', calls, whole(number), 'EX', 86400)
return {'ok'}
