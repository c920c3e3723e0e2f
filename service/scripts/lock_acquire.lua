#!lua
-- Takes a lock that nobody holds.
-- KEYS    1 lock  [2 idempotency]
-- ARGV    1 owner, hashed  2 time to live, ms  [3 time to remember the answer, ms]
-- Returns {'ok', fencing number, ends at ms}, {'held', ends at ms, ms until then}, or {'other'}: the idempotency key was
--         used for another request
-- Cost    O(1)
-- Again   A second run, after a first whose answer was lost, knows its owner, who is nobody else's. One that comes as a
--         call of its own, with an idempotency key, brings the same owner, and is told what he got, also when it has ended.
local memory = KEYS[2]

-- include redis_time
-- include lock_state

local number, ends, owner = read_lock()
if ends > now_ms and owner == ARGV[1] then return {'ok', number, ends} end
local remembered = memory and redis.call('GET', memory)
if remembered then
	local ttl, got, until_ms = remembered:match('^(%d+):(%d+):(%d+)$')
	if ttl ~= ARGV[2] then return {'other'} end
	return {'ok', tonumber(got), tonumber(until_ms)}
end
if ends > now_ms then return {'held', ends, ends - now_ms} end

number, ends = math.max(number + 1, now), now_ms + tonumber(ARGV[2])
write_lock(number, ends, ARGV[1])
if memory then
	redis.call('SET', memory, string.format('%s:%.0f:%.0f', ARGV[2], number, ends), 'PX', ARGV[3])
end
return {'ok', number, ends}
