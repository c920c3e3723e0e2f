#!lua
-- Appends one sealed change to a living session and slides its idle timeout. Never revives a dead one.
-- KEYS    1 session  [2 idempotency]; besides it the user's index
-- ARGV    1 time to live, ms  2 expected version or ''  3 delta  4 deltas max  5 record bytes max
--         6 attributes added  7 attributes max  8 bytes of text added  9 bytes of text max
--         10 number of the first key: a record under a lower one is not appended to; 0: it is
--         11 announcement, or ''  [12 time to remember the answer, ms  13 fingerprint]
-- Returns {'ok', version}, {'none'}, {'dead', value}, {'replay', fingerprint and version, record},
--         {'conflict', version stored}, or {'full', value}: no room, or an earlier key, and the record must be written anew
-- Cost    O(bytes of the record)
-- Again   A second run, after a first whose answer was lost, finds its own delta and answers as the first did. Had the
--         record been written anew in between, only an idempotency key would tell.
local session, memory = KEYS[1], KEYS[2]
local value = redis.call('GET', session)
if not value then return {'none'} end
if value:byte(1) ~= 1 or #value < 55 then return {'dead', value} end

-- The version that an earlier run made; nil: there was none.
local function version_made_before()
	local metadata, data = struct.unpack('>I2I2', value, 35)
	local at, made = 56 + metadata + data, struct.unpack('>I5', value, 30)
	while at + 20 <= #value do
		local behind = at + 21 + struct.unpack('>I2', value, at)
		made = made + 1
		if behind - at == #ARGV[3] and value:sub(at, behind - 1) == ARGV[3] then return made end
		at = behind
	end
	return nil
end

-- include heal_index

local made = version_made_before()
if made then
	redis.call('PEXPIRE', session, ARGV[1])
	return {'ok', made}
end
if memory then
	local remembered = redis.call('GET', memory)
	if remembered then
		redis.call('PEXPIRE', session, ARGV[1])
		return {'replay', remembered, value}
	end
end

local version = struct.unpack('>I5', value, 30) + value:byte(51)
if ARGV[2] ~= '' and ARGV[2] ~= string.format('%.0f', version) then return {'conflict', version} end

local deltas = value:byte(51) + 1
local attributes = struct.unpack('>I2', value, 52) + tonumber(ARGV[6])
local text = struct.unpack('>I2', value, 54) + tonumber(ARGV[8])
if deltas > tonumber(ARGV[4]) or attributes > tonumber(ARGV[7]) or text > tonumber(ARGV[9])
	or #value + #ARGV[3] > tonumber(ARGV[5]) or struct.unpack('>I2', value, 2) < tonumber(ARGV[10]) then
	return {'full', value}
end

version = version + 1
redis.call('APPEND', session, ARGV[3])
redis.call('SETRANGE', session, 50, string.char(deltas) .. struct.pack('>I2I2', attributes, text))
redis.call('PEXPIRE', session, ARGV[1])
heal_index(value)
if memory then redis.call('SET', memory, ARGV[13] .. struct.pack('>I8', version), 'PX', ARGV[12]) end
-- An ACL without the channel must not undo what is done.
if ARGV[11] ~= '' then redis.pcall('PUBLISH', 'lk1:e', ARGV[11]) end
return {'ok', version}
