#!lua flags=allow-oom
-- Brings a rotation's forward back that was acknowledged before another primary took over: it takes the place of the
-- record, or of nothing. Where the session was ended meanwhile, by an old token or with all of its user's, what came of it
-- ends as well: that its end did not lead there is only because the forward was missing.
-- KEYS    1 session  2 index
-- ARGV    1 forward  2 its time to live, ms  3 name  4 forwards to follow at most
-- Returns 'done'; 'there': it is, or another, or all has ended, or is of a newer format
-- Cost    O(log n), and one command for each forward
local session, index, forward = KEYS[1], KEYS[2], ARGV[1]
local prefix = session:sub(1, -#ARGV[3] - 1)

-- With the tombstone that is there, also where no record is: it may yet be brought back.
local function end_successor(tombstone)
	local name = forward:sub(20, 35)
	for _ = 1, tonumber(ARGV[4]) do
		local head = redis.call('GETRANGE', prefix .. name, 0, 34)
		if head:byte(1) == 2 then return 'there' end
		if head:byte(1) ~= 3 or #head < 35 then break end
		name = head:sub(20, 35)
	end
	redis.call('SET', prefix .. name, tombstone, 'PX', math.max(redis.call('PTTL', session), 1))
	redis.call('ZREM', index, name)
	return 'done'
end

local head = redis.call('GETRANGE', session, 0, 9)
if head:byte(1) == 2 then return end_successor(head) end
if head ~= '' and head:byte(1) ~= 1 then return 'there' end
redis.call('SET', session, forward, 'PX', ARGV[2])
redis.call('ZREM', index, ARGV[3])
return 'done'
