-- A lock outlives its end, so that the fencing numbers go on from it. They are microseconds where those are greater: so
-- they go on growing after the key has expired, or was lost, unless the clock went back by as much as that is ago.
local lock = KEYS[1]
local now_ms = math.floor(now / 1000)
local MEMORY_MS = 86400000

-- The number, when it ends (0: it was released) and whose it is.
local function read_lock()
	local value = redis.call('GET', lock)
	if not value then return 0, 0, '' end
	local number, ends = struct.unpack('>I8I8', value)
	return number, ends, value:sub(17)
end

local function write_lock(number, ends, owner)
	redis.call('SET', lock, struct.pack('>I8I8', number, ends) .. owner, 'PX',
		string.format('%.0f', math.max(ends - now_ms, 0) + MEMORY_MS))
end
