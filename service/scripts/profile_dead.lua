#!lua flags=no-writes
-- The changes that a group never acknowledged.
-- KEYS    1 the group's dead
-- ARGV    1 from where: '-', or '(' and the id of the last one seen  2 changes max  3 bytes max
-- Returns {'ok', id, change, deliveries, ...}
-- Cost    O(changes max)
local answer, bytes, from, left = {'ok'}, 0, ARGV[1], tonumber(ARGV[2])
while left > 0 and bytes < tonumber(ARGV[3]) do
	local found = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', math.min(left, 4))
	for _, one in ipairs(found) do
		answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = one[1], one[2][2], tonumber(one[2][4])
		bytes, left, from = bytes + #one[2][2], left - 1, '(' .. one[1]
	end
	if #found == 0 then break end
end
return answer
