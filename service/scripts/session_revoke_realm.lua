#!lua flags=allow-oom
-- Ends a realm's sessions that were created before a moment, also when Redis is full. The moment never moves back. It
-- has no time to live: it is one small key for a realm, the moment in ms and who set it.
-- KEYS    1 not-before  [2 idempotency]
-- ARGV    1 not-before, ms  2 head of the announcement, whose time is set here, or '': it is brought back
--         3 name of this revocation, hex digits  4 '', or: all that were created so far are to end, and the moment may
--         for that be moved up to here, ms  [5 time to remember the answer, ms  6 not-before that was asked for, 0: now]
-- Returns {'ok', not-before in force}, {'early'}: it is as far ahead as it may be, or {'other'}: the idempotency key was
--         used for another request; brought back: 'done' or 'there'
-- Cost    O(1)
-- Again   A second run, after a first whose answer was lost, knows its own name and changes nothing; unless another
--         revocation came in between, over which it moves on. One that comes as a call of its own, with an idempotency
--         key, asks for the moment that the first one set.
local key, memory = KEYS[1], KEYS[2]
local moment, name, latest = ARGV[1], ARGV[3], ARGV[4]

local by
local in_force = redis.call('GET', key) or ''
in_force, by = in_force:match('^(%d+):(%x*)$')
in_force = tonumber(in_force) or 0

local remembered = memory and redis.call('GET', memory)
if remembered then
	local asked, before = remembered:match('^(%d+):(%d+)$')
	if asked ~= ARGV[6] then return {'other'} end
	moment = before
elseif latest ~= '' and by ~= name and in_force >= tonumber(moment) then
	-- Who logged in since the revocation before, in the same second, was created at its moment: the next one.
	if in_force + 1000 > tonumber(latest) then return {'early'} end
	moment = string.format('%.0f', in_force + 1000)
end

local is_later = in_force < tonumber(moment)
if is_later then
	redis.call('SET', key, moment .. ':' .. name)
	in_force = tonumber(moment)
end
if ARGV[2] == '' then return is_later and 'done' or 'there' end
if memory and not remembered then redis.call('SET', memory, ARGV[6] .. ':' .. moment, 'PX', ARGV[5]) end
-- An ACL without the channel must not undo what is done.
redis.pcall('PUBLISH', 'lk1:e', ARGV[2]:sub(1, 7) .. struct.pack('>I8', in_force) .. ARGV[2]:sub(16))
return {'ok', string.format('%.0f', in_force)}
