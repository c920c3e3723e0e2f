-- An entry that the index has lost comes back when its session is written. What goes wrong here must not undo that, nor
-- a cluster that moves the slot and has the index elsewhere already. The index may live for longer than it must.
local function heal_index(record)
	local index, name = 'lk1:u:' .. session:sub(7, 19), session:sub(21)
	if redis.pcall('ZSCORE', index, name) then return end
	local created, lifetime = struct.unpack('>I6', record, 4), struct.unpack('>I4', record, 16)
	local left = redis.pcall('PTTL', index)
	redis.pcall('ZADD', index, 'NX', string.format('%.0f', math.floor(created / 1000) + lifetime), name)
	if type(left) == 'number' and left ~= -1 and left < lifetime * 1000 then
		redis.pcall('PEXPIRE', index, lifetime * 1000)
	end
end
