#!lua flags=allow-oom
-- A group is done with changes: live ones, and dead ones.
-- KEYS    1 stream  2 the group's dead  3 memory of this call
-- ARGV    1 group  2 ids, a comma behind each; a 'd' in front of those of the dead  3 time to remember the call, ms
--         4 fingerprint of the request, 16 bytes  [5 'redo': only that they are done is of interest]
-- Returns {'ok', how many, fingerprint}, the latter of the request that is remembered; as a redo 'done'
-- Cost    O(ids)
-- Again   A second run, after a first whose answer was lost, finds how many there were.
local stream, dead, memory = KEYS[1], KEYS[2], KEYS[3]
local count = 0
local remembered = not ARGV[5] and redis.call('GET', memory)
if remembered then return {'ok', tonumber(remembered:sub(17)), remembered:sub(1, 16)} end
for mark, id in ARGV[2]:gmatch('(d?)([%d%-]+),') do
	count = count + (mark == 'd' and redis.call('XDEL', dead, id) or redis.call('XACK', stream, ARGV[1], id))
end
if ARGV[5] then return 'done' end
redis.call('SET', memory, ARGV[4] .. count, 'PX', ARGV[3])
return {'ok', count, ARGV[4]}
