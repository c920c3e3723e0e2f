#!lua flags=allow-oom
-- Brings a rotation's forward back that was acknowledged before another primary took over: it takes the place of the
-- record, or of nothing.
-- KEYS    1 session  2 index
-- ARGV    1 forward  2 its time to live, ms  3 name
-- Returns 'done'; 'there': it is, or another, or the session has ended since, or is of a newer format
-- Cost    O(log n)
local format = redis.call('GETRANGE', KEYS[1], 0, 0)
if format ~= '' and format ~= '\1' then return 'there' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[3])
return 'done'
