#!lua flags=allow-oom
-- Ends a session: a tombstone takes the record's place, also when Redis is full.
-- KEYS    1 session  2 index
-- ARGV    1 name  2 tombstone  3 its time to live at most, ms  4 token or handle  5 realm tag, 2 bytes
-- Returns 1 if the session was alive, else 0
-- Cost    O(log n)
local session, lives = KEYS[1], tonumber(ARGV[3])
local head = redis.call('GETRANGE', session, 0, 28)
local format = head:byte(1)

-- Whoever has a handle only has shown nothing: it must name a living session of the realm.
if ARGV[4] == 'handle' and (format ~= 1 or head:sub(28, 29) ~= ARGV[5]) then return 0 end

redis.call('ZREM', KEYS[2], ARGV[1])
if format == 2 then return 0 end
if format then
	local left = redis.call('PTTL', session)
	if left >= 0 and left < lives then lives = left end
end
redis.call('SET', session, ARGV[2], 'PX', math.max(lives, 1))
return format and 1 or 0
