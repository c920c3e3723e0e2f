#!lua
-- Puts a rewritten record in the place of the one it was made from, and slides the idle timeout.
-- KEYS    1 session  [2 idempotency]; besides it the user's index
-- ARGV    1 time to live, ms  2 version it was made from  3 record, of the next version
--         4 announcement, or ''  [5 time to remember the answer, ms  6 fingerprint]
-- Returns {'ok', version}, {'none'}, {'dead', value}, {'replay', fingerprint and version, record} or
--         {'conflict', version stored}
-- Cost    O(bytes of the record)
-- Again   A second run, after a first whose answer was lost, finds its own record, with later changes perhaps.
local session, memory = KEYS[1], KEYS[2]
local head = redis.call('GETRANGE', session, 0, 50)
if head == '' then return {'none'} end
if head:byte(1) ~= 1 or #head < 51 then return {'dead', redis.call('GET', session)} end

-- Sealed parts are never the same twice.
local function is_ours()
	if head:sub(1, 50) ~= ARGV[3]:sub(1, 50) then return false end
	return redis.call('GETRANGE', session, 55, #ARGV[3] - 1) == ARGV[3]:sub(56)
end

-- include heal_index

if is_ours() then
	redis.call('PEXPIRE', session, ARGV[1])
	return {'ok', (struct.unpack('>I5', head, 30))}
end
if memory then
	local remembered = redis.call('GET', memory)
	if remembered then
		redis.call('PEXPIRE', session, ARGV[1])
		return {'replay', remembered, redis.call('GET', session)}
	end
end

local version = struct.unpack('>I5', head, 30) + head:byte(51)
if ARGV[2] ~= string.format('%.0f', version) then return {'conflict', version} end

version = version + 1
redis.call('SET', session, ARGV[3], 'PX', ARGV[1])
heal_index(ARGV[3])
if memory then redis.call('SET', memory, ARGV[6] .. struct.pack('>I8', version), 'PX', ARGV[5]) end
-- An ACL without the channel must not undo what is done.
if ARGV[4] ~= '' then redis.pcall('PUBLISH', 'lk1:e', ARGV[4]) end
return {'ok', version}
