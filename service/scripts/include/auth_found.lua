-- include is_elsewhere

-- The answer, unless it was forgotten, and its subject's epoch; or what to return instead. Most subjects have no epoch, and
-- while a cluster moves the slot, a key that its old node does not have cannot be touched there. Were it one of KEYS, the
-- whole would be refused until all is moved; so it is a miss, which nobody keeps.
local function find(answer, epoch_key)
	local both = redis.pcall('MGET', answer, epoch_key)
	if both.err then return nil, nil, is_elsewhere(both.err) and {'miss', ''} or both end
	local value, epoch = both[1], both[2]
	-- What is of another epoch was forgotten; so was a lease. Another format is a tombstone's, or a newer version's.
	if value and (value:byte(1) ~= 1 or value:sub(47, 54) ~= epoch) then value = nil end
	return value, epoch
end
