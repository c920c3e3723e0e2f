#!lua
-- Stores an answer, if nothing that it is about was forgotten since its lease was given, and nobody else has begun to
-- load it.
-- KEYS    1 answer
-- ARGV    1 lease's id, 8 bytes  2 epoch that it was given in  3 fresh for, ms  4 and stale for, ms  5 time that loading
--         took, ms; '': since the lease was given  6 body
-- Returns {'stored', fresh until, ms} or {'refused'}
-- Cost    O(1) and 4 commands; 5 when somebody waits
-- Again   An answer of this very body was stored by an earlier run, which gave the same reply.
local answer, HEAD = KEYS[1], 54
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local value = redis.call('GET', answer)
if not value or value:byte(1) ~= 1 or value:sub(47, 54) ~= ARGV[2] then return {'refused'} end
-- include is_elsewhere

-- See auth_lookup: where the epoch cannot be told, nothing is stored.
local epoch = redis.pcall('GET', 'lk1:f:' .. answer:sub(7, 19))
if type(epoch) == 'table' then
	return is_elsewhere(epoch.err) and {'refused'} or epoch
end
if epoch ~= ARGV[2] then return {'refused'} end
if value:sub(HEAD + 1) == ARGV[6] then return {'stored', (struct.unpack('>I8', value, 27))} end
if value:sub(3, 10) ~= ARGV[1] then return {'refused'} end

local lives, stays = tonumber(ARGV[3]), tonumber(ARGV[4])
local took = ARGV[5] ~= '' and tonumber(ARGV[5]) or now - struct.unpack('>I8', value, 19)
local times = struct.pack('>I8I8I4', now + lives, now + lives + stays, math.max(math.min(took, 4294967295), 0))
redis.call('SET', answer, '\1' .. ('\0'):rep(25) .. times .. epoch .. ARGV[6], 'PX', lives + stays)
-- Who waits also asks from time to time; an ACL without the channel must not undo what is done.
if value:byte(2) == 1 then redis.pcall('PUBLISH', 'lk1:e', '\4\1' .. answer) end
return {'stored', now + lives}
