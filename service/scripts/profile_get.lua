#!lua flags=no-writes
-- Reads a profile, or some of its fields.
-- KEYS    1 profile
-- ARGV    1 ids of fields, 16 bytes each, one behind the other; '': all
-- Returns {version, time left in ms, name in the hash, value, ...}; {0} when it was deleted; {} when there is none
-- Cost    O(fields read)
local profile, ids = KEYS[1], ARGV[1]
local head = redis.call('HMGET', profile, '_v', '_t')
if not head[2] then return head[1] and {0} or {} end
local answer = {head[1], redis.call('PTTL', profile)}
if ids == '' then
	for _, one in ipairs(redis.call('HGETALL', profile)) do answer[#answer + 1] = one end
	return answer
end
local names = {}
for at = 1, #ids, 16 do names[#names + 1] = ids:sub(at, at + 15) end
for i, value in ipairs(redis.call('HMGET', profile, unpack(names))) do
	if value then
		answer[#answer + 1] = names[i]
		answer[#answer + 1] = value
	end
end
return answer
