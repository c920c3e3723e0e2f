#!lua flags=allow-oom
-- Brings a session back that was acknowledged before another primary took over; changes nothing where it is there.
-- KEYS    1 session  2 index  3 the user's last logouts everywhere
-- ARGV    1 record  2 its time to live, ms  3 absolute deadline, ms  4 now, ms  5 name
-- Returns 'done' or 'there': it is, or has ended since, or is of a newer format
-- Cost    O(log n), and O(bytes of the record)
local session, index, logouts = KEYS[1], KEYS[2], KEYS[3]
local record, lives = ARGV[1], tonumber(ARGV[2])

-- The tombstone of a logout everywhere that came after the session was created, and did not find it here.
local function tombstone_for_all()
	local created, class = struct.unpack('>I8', record, 20), record:sub(30, 31)
	local scopes = redis.call('HGETALL', logouts)
	for i = 1, #scopes, 2 do
		-- Class tag, or none, and the name of the session spared, or none.
		local scope, tombstone = scopes[i], scopes[i + 1]
		local has_class, has_spared = #scope % 22 == 2, #scope >= 22
		if created <= struct.unpack('>I8', tombstone, 3)
			and not (has_class and scope:sub(1, 2) ~= class)
			and not (has_spared and scope:sub(-22) == ARGV[5]) then
			return tombstone
		end
	end
	return nil
end

local head = redis.call('GETRANGE', session, 0, 10)
if head ~= '' then
	if head:byte(1) ~= 1 or #head < 11 then return 'there' end
	if struct.unpack('>I8', head, 4) >= struct.unpack('>I8', record, 4) then return 'there' end
	lives = math.max(lives, redis.call('PTTL', session))
else
	local tombstone = tombstone_for_all()
	if tombstone then
		redis.call('SET', session, tombstone, 'PX', math.max(redis.call('PTTL', logouts), 1))
		return 'done'
	end
end

redis.call('SET', session, record, 'PX', lives)
local left, wanted = redis.call('PTTL', index), tonumber(ARGV[3]) - tonumber(ARGV[4])
redis.call('ZADD', index, ARGV[3], ARGV[5])
if left == -2 or (left >= 0 and left < wanted) then redis.call('PEXPIRE', index, wanted) end
return 'done'
