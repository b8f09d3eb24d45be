-- Drops the records of a run but for the newest; an entry of the stream is a piece of one commit, and goes when all of
-- that commit may.
local row = call('HMGET', KEYS[1], 'v', 'seq')
local problem = no_run(row[1])
if problem then return problem end
local oldest = tonumber(row[2]) - tonumber(ARGV[1]) + 1
if oldest <= 1 then return {'ok', '0'} end
return {'ok', whole(call('XTRIM', KEYS[4], 'MINID', '=', whole(oldest)))}
