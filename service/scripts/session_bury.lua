#!lua flags=allow-oom
-- Ends sessions of a user again whose end was acknowledged before another primary took over. A tombstone is left even
-- where no record is: another instance may still bring that back. Of a session that was rotated on the new primary before
-- its end came back, what came of it ends as well.
-- KEYS    1 index  [2 the user's last logouts everywhere: then the answers about the user are forgotten as well]
-- ARGV    1 prefix of the user's session keys  2 tombstone  3 its time to live at most, ms  4 now, ms
--         5 names, 16 bytes each  6 forwards to follow at most  [7 scope of a logout everywhere]
-- Returns 'done' or 'there'; 'again' if the answers about the user cannot be forgotten now
-- Cost    O(log n) and 4 commands for each of the names, and of the forwards followed
local index, logouts = KEYS[1], KEYS[2]
local prefix, tombstone, lives, now, names = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local answer = 'there'

-- include deadline_of

-- The name of the successor; nil: it was not rotated.
local function bury(name)
	local head = redis.call('GETRANGE', prefix .. name, 0, 34)
	if head:byte(1) ~= 2 then
		local deadline = deadline_of(name)
		local left = deadline and deadline * 1000 - now or lives
		redis.call('SET', prefix .. name, tombstone, 'PX', math.max(math.min(lives, left), 1))
		answer = 'done'
	end
	redis.call('ZREM', index, name)
	return head:byte(1) == 3 and #head == 35 and head:sub(20, 35) or nil
end

local hops = tonumber(ARGV[6])
for at = 1, #names, 16 do
	local name = bury(names:sub(at, at + 15))
	while name and hops > 0 do
		name, hops = bury(name), hops - 1
	end
end
-- A logout of the same scope that came later says all that this one does, and more.
if logouts then
	local kept = redis.call('HGET', logouts, ARGV[7])
	if not kept or struct.unpack('>I8', kept, 3) < struct.unpack('>I8', tombstone, 3) then
		redis.call('HSET', logouts, ARGV[7], tombstone)
	end
	redis.call('PEXPIRE', logouts, math.max(lives, redis.call('PTTL', logouts)))
	-- As session_revoke_user does; where a cluster has the epoch elsewhere already, when the slot is moved.
	if type(redis.pcall('DEL', 'lk1:f' .. index:sub(6))) ~= 'number' then return 'again' end
end
return answer
