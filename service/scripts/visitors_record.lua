#!lua
-- Adds visitors to buckets of a counter.
-- KEYS    1 bucket  [2 bucket of another width]
-- ARGV    1 hashed ids, 8 bytes each  2 when the bucket expires, ms  [3 the second bucket]
-- Returns 'done'; 'there': no bucket's estimate has changed
-- Cost    O(ids)
-- Again   Whoever is there already changes nothing. A bucket that changes gets its end in the same run.
local ids = {}
for at = 1, #ARGV[1], 8 do ids[#ids + 1] = ARGV[1]:sub(at, at + 7) end

local word = 'there'
for i, bucket in ipairs(KEYS) do
	if redis.call('PFADD', bucket, unpack(ids)) == 1 then
		redis.call('PEXPIREAT', bucket, ARGV[i + 1])
		word = 'done'
	end
end
return word
