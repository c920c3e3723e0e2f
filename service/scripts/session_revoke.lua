#!lua flags=allow-oom
-- Ends a session: a tombstone takes the record's place, also when Redis is full.
-- KEYS    1 session  2 index
-- ARGV    1 name  2 tombstone  3 its time to live at most, ms  4 token or handle  5 realm tag, 2 bytes  6 now, ms
--         7 head of the announcement
-- Returns 1 if the session was alive, 0 if it was not; -1, by handle: the realm has no such session
-- Cost    O(log n)
-- Again   A second run, after a first whose answer was lost, finds its own tombstone: 1, even if nothing was there.
local session, lives = KEYS[1], tonumber(ARGV[3])
local head = redis.call('GETRANGE', session, 0, 28)
local format = head:byte(1)
if head == ARGV[2] then return 1 end

if ARGV[4] == 'handle' then
	if format == 2 then return 0 end
	-- Whoever has a handle only has shown nothing: it must name a living session of the realm.
	if format ~= 1 or head:sub(28, 29) ~= ARGV[5] then return -1 end
	-- A token tells its deadline; here the index does.
	local deadline = redis.call('ZSCORE', KEYS[2], ARGV[1])
	if deadline then lives = math.min(lives, tonumber(deadline) - tonumber(ARGV[6])) end
end

redis.call('ZREM', KEYS[2], ARGV[1])
if format == 2 then return 0 end
redis.call('SET', session, ARGV[2], 'PX', math.max(lives, 1))
-- An ACL without the channel must not undo what is done.
redis.pcall('PUBLISH', 'lk1:e', ARGV[7] .. ARGV[1])
return format and 1 or 0
