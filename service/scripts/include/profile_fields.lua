-- What profiles' scripts share. A profile is a hash:
--   _v  version   _t  tier; none: it was deleted, and this is its tombstone
--   _h  created, ms; stamps of the last change and of the last that replaced all; number of fields, bytes of their text
--   _x  what was removed lately: id and stamp, one behind the other
--   id  16 bytes: a value, as its stamp and seal, or a counter, a plain number; with a counter
--   'n' and id: stamp and seal of its name. The stamp is that of the last change that set it, not of increments
-- A stamp is the server's time in us when the change was made, but more than the one before: it orders changes, also
-- across a failover, as far as the servers' clocks agree to within the time that one takes. A seal begins with format (1),
-- key (2) and bytes of name and value (2).
-- Removals that are remembered: as many as there can be fields.
local REMOVED_MAX = 256
local HEAD_BYTES = 30
-- Names in the hash and values, one behind the other: written by one command, at the end.
local writes = {}
local function write(name, value) writes[#writes + 1], writes[#writes + 2] = name, value end

local function read_head()
	local stored = redis.call('HMGET', profile, '_v', '_h', '_t', '_x')
	local head = {version = tonumber(stored[1] or 0) or 0, tier = stored[3] or '', removed = stored[4] or ''}
	-- One that is damaged may be put anew, or deleted.
	if stored[2] and (kind == 'update' or #stored[2] == HEAD_BYTES) then
		head.created, head.stamp, head.replaced, head.fields, head.bytes = struct.unpack('>I8I8I8I2I4', stored[2])
	else
		head.created, head.stamp, head.replaced, head.fields, head.bytes = 0, 0, 0, 0, 0
	end
	return head
end

-- id, kind (v a value, c a counter, i an increment, r a removal), number as text, seal; old is what is there.
local function read_items(packed)
	local items, at = {}, 1
	while at <= #packed do
		local item = {}
		item.id, item.kind, item.text, item.seal, at = struct.unpack('>c16c1I2c0I2c0', packed, at)
		items[#items + 1] = item
	end
	return items
end

local function look_up(item)
	local old = redis.call('HMGET', profile, item.id, 'n' .. item.id)
	item.old_text, item.old_seal = old[1], old[2]
end

-- Of a value or a counter's name, as it is stored.
local function stamp_of(stored) return (struct.unpack('>I8', stored)) end
local function bytes_of(stored) return (struct.unpack('>I2', stored, 12)) end

-- What a set, an increment or a removal makes of the sums. The last two results are of the item only.
local function count(item, fields, bytes)
	if item.old_text then fields, bytes = fields - 1, bytes - bytes_of(item.old_seal or item.old_text) end
	if item.kind == 'i' and item.old_text then return fields + 1, bytes + bytes_of(item.old_seal) end
	if item.kind ~= 'r' then return fields + 1, bytes + struct.unpack('>I2', item.seal, 4) end
	return fields, bytes
end

-- By billions and the rest: Lua's own numbers are exact to 2^53 only.
local function split(text)
	local sign, digits = text:match('^(-?)(%d+)$')
	local factor = sign == '-' and -1 or 1
	return factor * (tonumber(digits:sub(1, -10)) or 0), factor * tonumber(digits:sub(-9))
end

-- Whether the sum of two numbers has 64 bits.
local function fits(a, b)
	local high_a, low_a = split(a)
	local high_b, low_b = split(b)
	local carry = math.floor((low_a + low_b) / 1000000000)
	local high, low = high_a + high_b + carry, low_a + low_b - carry * 1000000000
	if high > 9223372036 or (high == 9223372036 and low > 854775807) then return false end
	return not (high < -9223372037 or (high == -9223372037 and low < 145224192))
end

-- When each was removed that was lately. Read when it is needed: as a rule there is none.
local function removals(head)
	if not head.removals then
		head.removals = {}
		for i = 1, #head.removed, 24 do
			head.removals[head.removed:sub(i, i + 15)] = struct.unpack('>I8', head.removed, i + 16)
		end
	end
	return head.removals
end

-- 0: not lately.
local function removed_at(head, id) return head.removed ~= '' and removals(head)[id] or 0 end

-- Removals are remembered for as long as something that would set a field again may come late.
local function pack_removals(head, lives)
	local ids, packed = {}, {}
	for id, at in pairs(head.removals) do
		if at > head.stamp - lives * 1000 then ids[#ids + 1] = id end
	end
	table.sort(ids, function(x, y) return head.removals[x] < head.removals[y] end)
	for i = math.max(1, #ids - REMOVED_MAX + 1), #ids do
		packed[#packed + 1] = ids[i] .. struct.pack('>I8', head.removals[ids[i]])
	end
	return table.concat(packed)
end

-- With all that is to be written besides.
local function write_all(head, lives)
	local packed = struct.pack('>I8I8I8I2I4', head.created, head.stamp, head.replaced, head.fields, head.bytes)
	write('_v', string.format('%.0f', head.version))
	write('_h', packed)
	if head.tier ~= '' then write('_t', head.tier) end
	if head.has_removed then write('_x', pack_removals(head, tombstone)) end
	redis.call('HSET', profile, unpack(writes))
	redis.call('PEXPIRE', profile, lives)
end

local function store(item, stamp)
	local seal = struct.pack('>I8', stamp) .. item.seal
	if item.kind == 'v' then
		write(item.id, seal)
		if item.old_seal then redis.call('HDEL', profile, 'n' .. item.id) end
	else
		write(item.id, item.text)
		write('n' .. item.id, seal)
	end
end

local function increment(item, head)
	redis.call('HINCRBY', profile, item.id, item.text)
	if item.old_text then return end
	write('n' .. item.id, struct.pack('>I8', removed_at(head, item.id)) .. item.seal)
end

local function apply(item, head, stamp)
	if item.kind == 'r' then
		redis.call('HDEL', profile, item.id, 'n' .. item.id)
		removals(head)[item.id], head.has_removed = stamp, true
	elseif item.kind == 'i' then
		increment(item, head)
	else
		store(item, stamp)
	end
end

-- For those who read the realm's changes: what the script knows, and what was sealed beforehand.
local function put_out(head, counters, change, lives)
	local entry = struct.pack('>I8I8I8I2', head.created, head.version, head.stamp, #counters) .. counters .. change
	redis.call('RPUSH', outbox, entry)
	redis.call('PEXPIRE', outbox, lives)
	return entry
end
