#!lua flags=allow-oom
-- Brings an update back that was acknowledged before another primary took over; changes nothing where it is there.
-- KEYS    1 session  2 mark: something waits for an earlier update since
-- ARGV    1 delta  2 version that it made  3 time to live, ms  4 deltas max  5 record bytes max
--         6 attributes added  7 attributes max  8 bytes of text added  9 bytes of text max
--         [10 the record as it was written anew with this update, of the version that it made]
-- Returns 'done'; 'there': it is, or the session has ended since; 'again': what came before it is still to be brought
--         back, perhaps by another instance; 'conflict': it has no place any more, also where the session was rotated
--         without it; nothing was changed
-- Cost    O(bytes of the record)
--
-- The order of updates is kept as well as it can be. One whose predecessors are missing waits for them; if they do not
-- come in time, it is appended. One that comes after others were made here goes in front of those, to the place that
-- it had. A delta bound to its place by its seal stands there or nowhere.
local session, mark = KEYS[1], KEYS[2]
local delta, wanted = ARGV[1], tonumber(ARGV[2])
local UNBOUND = string.rep('\0', 5)

local value = redis.call('GET', session)
if not value then return 'again' end
-- A rotation that was made without this update has lost it.
if value:byte(1) == 3 and #value >= 35 then
	local name = value:sub(20, 35)
	local head = redis.call('GETRANGE', session:sub(1, -#name - 1) .. name, 0, 33)
	local is_lost = #head == 34 and head:byte(1) == 1 and struct.unpack('>I5', head, 30) < wanted
	return is_lost and 'conflict' or 'there'
end
if value:byte(1) ~= 1 or #value < 55 then return 'there' end
local base = struct.unpack('>I5', value, 30)
local version = base + value:byte(51)

-- Where each delta starts, and one behind the last.
local function read_starts()
	local metadata, data = struct.unpack('>I2I2', value, 35)
	local starts = {56 + metadata + data}
	while starts[#starts] + 20 <= #value do
		starts[#starts + 1] = starts[#starts] + 21 + struct.unpack('>I2', value, starts[#starts])
	end
	return starts
end

local function is_contained(starts)
	for i = 1, #starts - 1 do
		if value:sub(starts[i], starts[i + 1] - 1) == delta then return true end
	end
	return false
end

-- include has_waited

-- The number of the delta that this one goes in front of: its own place, but none that is bound may move.
local function place_among(starts)
	local place = #starts
	while place > wanted - base do
		local at = starts[place - 1]
		if value:sub(at + 4, at + 8) ~= UNBOUND then break end
		place = place - 1
	end
	return place
end

local starts = read_starts()
if is_contained(starts) or base >= wanted then return 'there' end
local is_bound = delta:sub(5, 9) ~= UNBOUND
if version < wanted - 1 and not has_waited() then return 'again' end
if is_bound and version ~= wanted - 1 then return 'conflict' end

local deltas = value:byte(51) + 1
local attributes = struct.unpack('>I2', value, 52) + tonumber(ARGV[6])
local text = struct.unpack('>I2', value, 54) + tonumber(ARGV[8])
local lives = math.max(tonumber(ARGV[3]), redis.call('PTTL', session))
if deltas > tonumber(ARGV[4]) or attributes > tonumber(ARGV[7]) or text > tonumber(ARGV[9])
	or #value + #delta > tonumber(ARGV[5]) then
	if not ARGV[10] or version >= wanted then return 'conflict' end
	redis.call('SET', session, ARGV[10], 'PX', lives)
else
	local at = starts[place_among(starts)]
	redis.call('SET', session, table.concat({
		value:sub(1, 50), string.char(deltas), struct.pack('>I2I2', attributes, text), value:sub(56, at - 1), delta,
		value:sub(at)
	}), 'PX', lives)
end
redis.call('DEL', mark)
return 'done'
