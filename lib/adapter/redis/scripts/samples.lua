-- Appends samples to the streams of their hosts. Three arguments each: host, time, values. A sample that is sent twice
-- is written once: its id is its time, and an id that is not newer is refused.
local keep = ARGV[1]
for i = 2, #ARGV, 3 do
    local ms = string.sub(ARGV[i + 1], 1, -7)
    if ms == '' then ms = '0' end
    redis.pcall('XADD', KEYS[1] .. ':' .. ARGV[i], 'MAXLEN', '~', keep, ms .. '-1', 's', ARGV[i + 2])
end
return {'ok'}
