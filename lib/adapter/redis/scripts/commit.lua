-- Writes records: all of them, or nothing. For each task that they change there are three arguments: its id, how its row
-- must begin ('' where there must be none), and what becomes of the row.
--
-- A row is bytes: 1-25 the head (version, state, attempt, host, seconds, time), 26 the outcome, 27-40 the decision with
-- its operands, 41-48 memory, 49-59 counts of failures, from 60 what never changes (parent, units). A change is a new
-- head, a byte of flags, and those parts that change; counts are what is added.
local CHUNK = 1500 -- arguments of one call; Lua's stack ends at some 8,000
local KNOWN = 1024 -- operations that are remembered
local epoch, operation, before, last, updated, state = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local is_contradictory, task_count, host_count = ARGV[7] == '1', tonumber(ARGV[8]), tonumber(ARGV[9])
local sub, byte, char = string.sub, string.byte, string.char

local row = call('HMGET', KEYS[1], 'v', 'epoch', 'owner', 'held', 'seq')
local problem = no_run(row[1]) or no_lease(row[2], row[4], row[3], epoch)
if problem then return problem end
if call('ZSCORE', KEYS[3], operation) then
    touch()
    return {'ok', epoch}
end
if row[5] ~= before then return {'seq', row[5]} end
if is_contradictory then return {'contradictory'} end

local function changed(old, change)
    local flags, at = byte(change, 26), 27
    local parts = {sub(change, 1, 25)}
    local function part(flag, first, size)
        if flags % (2 * flag) >= flag then
            parts[#parts + 1] = sub(change, at, at + size - 1)
            at = at + size
        else
            parts[#parts + 1] = sub(old, first, first + size - 1)
        end
    end
    part(1, 26, 1)
    part(2, 27, 14)
    part(4, 41, 8)
    if flags >= 8 then
        for i = 0, 10 do
            parts[#parts + 1] = char(math.min(255, byte(old, 49 + i) + byte(change, at + i)))
        end
        parts[#parts + 1] = sub(old, 60)
    else
        parts[#parts + 1] = sub(old, 49)
    end
    return table.concat(parts)
end

-- Most changes have a new head and one part more: those are cut in one go.
local function quickly_changed(old, change)
    local flags = byte(change, 26)
    if flags == 0 then return sub(change, 1, 25) .. sub(old, 26) end
    if flags == 1 then return sub(change, 1, 25) .. sub(change, 27) .. sub(old, 27) end
    if flags == 2 then return sub(change, 1, 25) .. sub(old, 26, 26) .. sub(change, 27) .. sub(old, 41) end
    if flags == 6 then return sub(change, 1, 25) .. sub(old, 26, 26) .. sub(change, 27) .. sub(old, 49) end
    return changed(old, change)
end

local writes, position = {}, 10
for first = 1, task_count, CHUNK do
    local count = math.min(CHUNK, task_count - first + 1)
    local ids, pairs_of = {}, {}
    for i = 1, count do ids[i] = ARGV[position + 3 * i - 2] end
    local rows = call('HMGET', KEYS[2], unpack(ids))
    for i = 1, count do
        local expected, old, new = ARGV[position + 3 * i - 1], rows[i], ARGV[position + 3 * i]
        if expected == '' then
            if old then return {'conflict', ids[i], old} end
        else
            if not old then return {'conflict', ids[i], ''} end
            if sub(old, 1, 5) ~= expected then return {'conflict', ids[i], old} end
            new = quickly_changed(old, new)
        end
        pairs_of[2 * i - 1], pairs_of[2 * i] = ids[i], new
    end
    writes[#writes + 1] = pairs_of
    position = position + 3 * count
end
local hosts = {}
for i = 1, host_count do
    local id, name = ARGV[position + 2 * i - 1], ARGV[position + 2 * i]
    local known = hosts[id] or call('HGET', KEYS[5], id)
    if known and known ~= name then return {'host', id, known, name} end
    hosts[id] = name
end
position = position + 2 * host_count

for _, pairs_of in ipairs(writes) do call('HSET', KEYS[2], unpack(pairs_of)) end
for id, name in pairs(hosts) do call('HSET', KEYS[5], id, name) end
for i = position + 1, #ARGV do
    -- ARGV[10] is the oldest record to be kept; those before it go by whole nodes of the stream, as it grows.
    call('XADD', KEYS[4], 'MINID', '~', ARGV[10], last .. '-' .. i - position, 'd', ARGV[i])
end
call('HSET', KEYS[1], 'seq', last, 'updated', updated)
if state ~= '' then call('HSET', KEYS[1], 'state', state) end
call('ZADD', KEYS[3], last, operation)
if math.floor(last / 64) > math.floor(before / 64) then call('ZREMRANGEBYRANK', KEYS[3], 0, -KNOWN - 1) end
return {'ok', epoch}
