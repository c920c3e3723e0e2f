#!lua flags=allow-oom
-- Takes changes out of a profile's outbox that are in the realm's stream.
-- KEYS    1 outbox
-- ARGV    1 stamp of the last of them, as a number
-- Returns 'done'
-- Cost    O(changes)
-- Again   A second run finds nothing that is as old.
local outbox = KEYS[1]
local entry = redis.call('LINDEX', outbox, 0)
while entry and struct.unpack('>I8', entry, 17) <= tonumber(ARGV[1]) do
	redis.call('LPOP', outbox)
	entry = redis.call('LINDEX', outbox, 0)
end
return 'done'
