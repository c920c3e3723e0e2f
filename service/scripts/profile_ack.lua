#!lua flags=allow-oom
-- A group is done with changes: live ones, and dead ones.
-- KEYS    1 stream  2 the group's dead  3 memory of this call
-- ARGV    1 group  2 ids, a comma behind each; a 'd' in front of those of the dead  3 time to remember the call, ms
--         4 'redo': only that they are done is of interest
-- Returns {'ok', how many}; as a redo 'done'
-- Cost    O(ids)
-- Again   A second run, after a first whose answer was lost, finds how many there were.
local stream, dead, memory = KEYS[1], KEYS[2], KEYS[3]
local count = 0
local remembered = ARGV[4] ~= 'redo' and redis.call('GET', memory)
if remembered then return {'ok', tonumber(remembered)} end
for mark, id in ARGV[2]:gmatch('(d?)([%d%-]+),') do
	count = count + (mark == 'd' and redis.call('XDEL', dead, id) or redis.call('XACK', stream, ARGV[1], id))
end
if ARGV[4] == 'redo' then return 'done' end
redis.call('SET', memory, count, 'PX', ARGV[3])
return {'ok', count}
