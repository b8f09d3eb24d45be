-- What every script begins with. Keys of a run, in one slot: 1 its row, 2 the rows of its tasks, 3 the operations of the
-- current epoch, 4 its records, 5 its hosts and, under numbers below 0, revisions of the catalog, 6 its workflow. Answers
-- are arrays that begin with a word.
local FORMAT = '1'
local call = redis.call

-- Microseconds of the server's clock, by which leases run.
local function now_us()
    local time = call('TIME')
    return time[1] * 1000000 + time[2]
end

-- A number that is whole, as text: tostring() would write 1e+15.
local function whole(number)
    return string.format('%.0f', number)
end

-- A write of nothing: what WAIT and WAITAOF wait for when a call finds that it was done before.
local function touch()
    call('HINCRBY', KEYS[1], 'touched', 1)
end

local function no_run(version)
    if not version then return {'noent'} end
    if version ~= FORMAT then return {'version', version} end
    return nil
end

local function no_lease(epoch, held, owner, wanted)
    if epoch == wanted and held == '1' then return nil end
    return {'fenced', epoch, owner}
end

-- Drops the keys that an index by time has longest, until as many as `keep` are left.
local function trim_index(index, keep)
    local over = call('ZCARD', index) - keep
    while over > 0 do
        local oldest = call('ZPOPMIN', index, math.min(over, 100))
        for i = 1, #oldest, 2 do call('DEL', oldest[i]) end
        over = over - 100
    end
end
