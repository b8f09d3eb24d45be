-- Makes a run. The id of the call makes it once: a resend is a success.
local id, name, workflow, tasks, time_ns = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local made = call('HMGET', KEYS[1], 'v', 'made')
if made[1] then
    if made[2] ~= id then return {'exists'} end
    touch()
    return {'ok'}
end
call('HSET', KEYS[1], 'v', FORMAT, 'made', id, 'name', name, 'workflow', workflow, 'tasks', tasks, 'state', '0',
    'created', time_ns, 'updated', time_ns, 'seq', '0', 'epoch', '0', 'owner', '', 'held', '0', 'ends', '0')
for i = 6, #ARGV do call('RPUSH', KEYS[6], ARGV[i]) end
return {'ok'}
