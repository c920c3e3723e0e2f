-- The absolute deadline that an entry of the index tells, s; nil: there is no such entry. See session_rotate.
local function deadline_of(name)
	local score = redis.call('ZSCORE', index, name)
	return score and math.floor(score)
end
