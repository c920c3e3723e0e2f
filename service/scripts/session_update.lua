#!lua
-- Appends one sealed change to a living session and slides its idle timeout. Never revives a dead one.
-- KEYS    1 session  [2 idempotency]
-- ARGV    1 time to live, ms  2 expected version or ''  3 delta  4 deltas max  5 record bytes max
--         6 attributes added  7 attributes max  8 bytes of text added  9 bytes of text max
--         [10 time to remember the answer, ms  11 fingerprint]
-- Returns {'ok', version}, {'none'}, {'dead', value}, {'replay', fingerprint and version},
--         {'conflict', version stored}, or {'full', value}: no room, the record must be written anew
-- Cost    O(bytes of the record)
local session, memory = KEYS[1], KEYS[2]
local head = redis.call('GETRANGE', session, 0, 43)
if head == '' then return {'none'} end
if head:byte(1) ~= 1 or #head < 44 then return {'dead', redis.call('GET', session)} end

if memory then
	local remembered = redis.call('GET', memory)
	if remembered then
		redis.call('PEXPIRE', session, ARGV[1])
		return {'replay', remembered}
	end
end

local version = struct.unpack('>I8', head, 4)
if ARGV[2] ~= '' and ARGV[2] ~= string.format('%.0f', version) then return {'conflict', version} end

local deltas = head:byte(36) + 1
local attributes = struct.unpack('>I2', head, 41) + tonumber(ARGV[6])
local text = struct.unpack('>I2', head, 43) + tonumber(ARGV[8])
if deltas > tonumber(ARGV[4]) or attributes > tonumber(ARGV[7]) or text > tonumber(ARGV[9])
	or redis.call('STRLEN', session) + #ARGV[3] > tonumber(ARGV[5]) then
	return {'full', redis.call('GET', session)}
end

version = version + 1
redis.call('APPEND', session, ARGV[3])
redis.call('SETRANGE', session, 3, struct.pack('>I8', version))
redis.call('SETRANGE', session, 35, string.char(deltas))
redis.call('SETRANGE', session, 40, struct.pack('>I2I2', attributes, text))
redis.call('PEXPIRE', session, ARGV[1])
if memory then redis.call('SET', memory, ARGV[11] .. struct.pack('>I8', version), 'PX', ARGV[10]) end
return {'ok', version}
