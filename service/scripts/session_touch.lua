#!lua flags=allow-oom
-- Reads a session, and slides its idle timeout unless that was done less than its class's touch interval ago.
-- KEYS    1 session
-- ARGV    1 time to live if it is slid, ms  2 class tag, 2 bytes, and touch interval, s, 4 bytes, of each class that has
--         one
-- Returns {value or nil, time left in ms, 1 if it was slid now, else 0}
-- Cost    O(1) and 2 commands; 3 when it slides
local session, wanted = KEYS[1], tonumber(ARGV[1])
-- Near the absolute deadline all instances want the same moment, by their own clocks, and a call takes a while to come
-- here: without a least gain each poll would write.
local GAIN_MS = 1000

local value = redis.call('GET', session)
local left = redis.call('PTTL', session)
if not value then return {value, left, 0} end

-- Interval and idle timeout, ms. What is no record of such a class slides at every use, as with GETEX. A session's own
-- idle timeout may be shorter than its class's: half of it is kept in any case.
local function rule()
	if value:byte(1) ~= 1 or #value < 55 then return 0, math.huge end
	local idle = struct.unpack('>I4', value, 20) * 1000
	for at = 1, #ARGV[2], 6 do
		if ARGV[2]:sub(at, at + 1) == value:sub(28, 29) then
			return math.min(struct.unpack('>I4', ARGV[2], at + 2) * 1000, idle / 2), idle
		end
	end
	return 0, idle
end

-- What is left tells when it was slid last, as long as the deadline is further away than the idle timeout. Nearer to
-- that it seems longer ago than it was, and there is nothing to gain. Never less than another instance gave.
local interval, idle = rule()
if left >= wanted or wanted - left < math.min(interval, GAIN_MS) or left > idle - interval then
	return {value, left, 0}
end
redis.call('PEXPIRE', session, ARGV[1])
return {value, wanted, 1}
