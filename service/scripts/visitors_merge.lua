#!lua flags=allow-oom
-- The union of buckets of one counter, and of registers that were brought from other slots; also when Redis is full, for
-- nothing of it stays.
-- KEYS    1 for a moment only, as are those that begin with 2  [3... buckets]
-- ARGV    1 'count' or 'registers'  [2... registers, as this script gives them]
-- Returns {'ok', number of visitors} or {'ok', registers}
-- Cost    O(buckets and registers), 16,384 registers each
-- Again   It is a read: what it writes is gone when it ends, also when a bucket is none.
local union, scratch = KEYS[1], KEYS[2]
local failure

local function call(...)
	local reply = failure or redis.pcall(...)
	if type(reply) == 'table' and reply.err then failure = reply end
	return reply
end

-- What is to be merged, after the buckets; and what is to be gone in the end.
local parts, moment = {unpack(KEYS, 3)}, {union}
for i = 2, #ARGV do
	local key = scratch .. i
	call('SET', key, ARGV[i])
	parts[#parts + 1], moment[#moment + 1] = key, key
end
-- All at once: each merge would go over the union's registers again.
call('DEL', union)
call('PFMERGE', union, unpack(parts))
local answer = ARGV[1] == 'count' and call('PFCOUNT', union) or call('GET', union)
redis.call('DEL', unpack(moment))
return failure or {'ok', answer}
