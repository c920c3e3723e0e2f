#!lua flags=allow-oom
-- Brings a session back that was acknowledged before another primary took over; changes nothing where it is there.
-- KEYS    1 session  2 index  3 the user's last logouts everywhere
-- ARGV    1 record  2 its time to live, ms  3 absolute deadline, s  4 now, ms  5 name
--         6 'session': that there is one is enough; 'record': all that the record holds is to be in it
--         7 forwards to follow at most
-- Returns 'done'; 'there': it is, or has ended since, or is of a newer format; 'conflict': the record there was written
--         apart from ours, nothing was changed: it holds what others have been told is stored
-- Cost    O(log n), and O(bytes of the record); one command for each forward, where one is there that leads to the dead
local session, index, logouts = KEYS[1], KEYS[2], KEYS[3]
local record, lives = ARGV[1], tonumber(ARGV[2])

-- The tombstone of a logout everywhere that came after the session's id was made, and did not find it here. By the
-- instances' clocks: a margin would end the sessions of those who log in again at once, which is what people do.
-- forward: of a session that was rotated; what had been rotated by then is not for it to answer for.
local function tombstone_for_all(forward)
	local rotated = forward and struct.unpack('>I6', forward, 4)
	local successor = forward and forward:sub(20, 35)
	local issued, class = struct.unpack('>I6', record, 10), record:sub(28, 29)
	local scopes = redis.call('HGETALL', logouts)
	for i = 1, #scopes, 2 do
		-- Class tag, or none, and the name of the session spared, or none.
		local scope, tombstone = scopes[i], scopes[i + 1]
		local has_class, has_spared = #scope % 16 == 2, #scope >= 16
		local at, spared = struct.unpack('>I8', tombstone, 3), has_spared and scope:sub(-16)
		if issued <= at and not (rotated and rotated <= at)
			and not (has_class and scope:sub(1, 2) ~= class)
			and not (spared and (spared == ARGV[5] or spared == successor)) then
			return tombstone
		end
	end
	return nil
end

-- What came of a session that had ended before it was rotated, also where no record is: it may yet be brought back.
local function end_successor(forward, tombstone)
	local prefix, name = session:sub(1, -#ARGV[5] - 1), forward:sub(20, 35)
	for _ = 1, tonumber(ARGV[7]) do
		local head = redis.call('GETRANGE', prefix .. name, 0, 34)
		if head:byte(1) == 2 then return 'there' end
		if head:byte(1) ~= 3 or #head < 35 then break end
		name = head:sub(20, 35)
	end
	redis.call('SET', prefix .. name, tombstone, 'PX', math.max(redis.call('PTTL', logouts), 1))
	redis.call('ZREM', index, name)
	return 'done'
end

-- What to do with the record that is there: nil, replace it, for ours is the same with more behind it. Sealed parts are
-- never the same twice, so equal bytes are equal history; number of deltas and bounds in front of them differ.
local function answer_to(value)
	if value:byte(1) ~= 1 or #value < 55 then return 'there' end
	if value:sub(1, 50) == record:sub(1, 50) then
		local theirs, ours = value:sub(56), record:sub(56)
		if theirs:sub(1, #ours) == ours then return 'there' end
		if ours:sub(1, #theirs) == theirs then return nil end
	end
	return ARGV[6] == 'session' and 'there' or 'conflict'
end

local value = redis.call('GET', session)
if value and value:byte(1) == 3 and #value >= 35 then
	-- Another instance's forward was back first: had the record been, it would have met its end, and the forward that.
	local tombstone = tombstone_for_all(value)
	return tombstone and end_successor(value, tombstone) or 'there'
end
if value then
	local answer = answer_to(value)
	if answer then return answer end
	lives = math.max(lives, redis.call('PTTL', session))
else
	local tombstone = tombstone_for_all()
	if tombstone then
		redis.call('SET', session, tombstone, 'PX', math.max(redis.call('PTTL', logouts), 1))
		return 'done'
	end
end

redis.call('SET', session, record, 'PX', lives)
local left, wanted = redis.call('PTTL', index), ARGV[3] * 1000 - ARGV[4]
redis.call('ZADD', index, 'NX', ARGV[3], ARGV[5])
if left == -2 or (left >= 0 and left < wanted) then redis.call('PEXPIRE', index, wanted) end
return 'done'
