#!lua flags=allow-oom
-- Enters changes of one profile in the realm's stream, those that are not there yet.
-- KEYS    1 stream  2 stamps of those of the profile's changes that were entered last
-- ARGV    1 changes in the stream at most, about  2 time to remember the stamps, ms  3... changes, in order
-- Returns 'done'
-- Cost    O(changes)
-- Again   A second run finds the stamps. So do others that were told of the same changes, and what is carried out again
--         after a failover. What is older than all that are remembered was entered: whoever enters one has entered
--         those before it.
local stream, marks = KEYS[1], KEYS[2]
local STAMPS_MAX = 64
-- Numbers, for strings are compared by the server's locale.
local entered = {}
local stamps = redis.call('GET', marks) or ''
for at = 1, #stamps, 8 do entered[#entered + 1] = struct.unpack('>I8', stamps, at) end
local oldest = #entered >= STAMPS_MAX and entered[1] or 0

local function is_entered(stamp)
	for _, one in ipairs(entered) do
		if one == stamp then return true end
	end
	return stamp < oldest
end

local count = #entered
for i = 3, #ARGV do
	local stamp = struct.unpack('>I8', ARGV[i], 17)
	if not is_entered(stamp) then
		redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i])
		entered[#entered + 1] = stamp
	end
end
if #entered > count then
	table.sort(entered)
	local packed = {}
	for i = math.max(1, #entered - STAMPS_MAX + 1), #entered do packed[#packed + 1] = struct.pack('>I8', entered[i]) end
	redis.call('SET', marks, table.concat(packed), 'PX', ARGV[2])
end
return 'done'
