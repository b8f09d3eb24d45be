-- Appends samples to the streams of their hosts. Each is: host, milliseconds and nanoseconds of its time, values, how many
-- tags, and for each tag its key, attempt and time. A sample's id is its time, so one that is sent twice, or is not newer
-- than what is there, is refused by the server. When an attempt was on a host is a hash of its task: '<' and '>' with
-- attempt and host are its first and last time. An index by time bounds how many tasks have something.
local keep, keep_ms, about = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local i = 4
while i < #ARGV do
    local host, ms, ns, values, tags = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4])
    local stream = KEYS[1] .. ':host:' .. host
    local added = redis.pcall('XADD', stream, 'MAXLEN', about, keep, ms .. '-' .. ns, 's', values)
    local is_kept = type(added) ~= 'table'
    i = i + 5
    if is_kept then
        call('XTRIM', stream, 'MINID', about, whole(math.max(0, tonumber(ms) - keep_ms)))
        call('ZADD', KEYS[1] .. ':hosts', ms, host)
    end
    for tag = 1, tags do
        local task, field, time = ARGV[i], ARGV[i + 1] .. ' ' .. host, ARGV[i + 2]
        local key = KEYS[1] .. ':span:' .. task
        if is_kept then
            call('HSETNX', key, '<' .. field, time)
            call('HSET', key, '>' .. field, time)
            call('PEXPIRE', key, whole(keep_ms))
            call('ZADD', KEYS[1] .. ':tasks', ms, key)
        end
        i = i + 3
    end
end
trim_index(KEYS[1] .. ':tasks', tonumber(keep))
return {'ok'}
