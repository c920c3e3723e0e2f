#!lua flags=allow-oom
-- Ends a realm's sessions that were created before a moment, also when Redis is full. The moment never moves back. It
-- has no time to live: it is one small key for a realm.
-- KEYS    1 not-before  [2 idempotency]
-- ARGV    1 not-before, ms  2 head of the announcement, whose time is set here, or '': it is brought back
--         [3 time to remember the answer, ms  4 not-before that was asked for, 0: now]
-- Returns {'ok', not-before in force}, or {'other'}: the idempotency key was used for another request; brought back:
--         'done' or 'there'
-- Cost    O(1)
-- Again   A second run, after a first whose answer was lost, changes nothing and announces it once more. One that comes
--         later as a call of its own, with an idempotency key, asks for the moment that the first one did.
local key, memory, wanted = KEYS[1], KEYS[2], ARGV[1]

if memory then
	local remembered = redis.call('GET', memory)
	if remembered then
		local asked, moment = remembered:match('^(%d+):(%d+)$')
		if asked ~= ARGV[4] then return {'other'} end
		wanted = moment
	else
		redis.call('SET', memory, ARGV[4] .. ':' .. wanted, 'PX', ARGV[3])
	end
end

local stored = redis.call('GET', key)
local is_later = (tonumber(stored or '') or 0) < tonumber(wanted)
if is_later then
	redis.call('SET', key, wanted)
	stored = wanted
end
if ARGV[2] == '' then return is_later and 'done' or 'there' end
-- An ACL without the channel must not undo what is done.
redis.pcall('PUBLISH', 'lk1:e', ARGV[2]:sub(1, 5) .. struct.pack('>I8', tonumber(stored)) .. ARGV[2]:sub(14))
return {'ok', stored}
