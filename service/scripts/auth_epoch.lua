#!lua flags=allow-oom
-- The epoch of a group, begun if there is none.
-- KEYS    1 epoch
-- ARGV    1 epoch to begin, 8 bytes  2 what it lives, ms
-- Returns the epoch
-- Cost    O(1) and 2 commands
-- Again   The epoch that the first run began is there.
local epoch = redis.call('GET', KEYS[1])
if not epoch then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
	return ARGV[1]
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) / 2 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return epoch
