#!lua flags=allow-oom
-- Ends a user's sessions, a chunk of them at a time, also when Redis is full; and forgets all answers about the user.
-- KEYS    1 index; besides it the user's sessions, their last logouts everywhere, and the epoch of their answers
-- ARGV    1 prefix of the user's session keys  2 tombstone  3 its time to live, ms  4 name to spare or ''
--         5 class tag, 2 bytes, or '': all  6 chunk  7 score and 8 name of the last entry seen before; '': start
--         9 now, ms  10 most logouts to keep  11 head of the announcement  12 forwards to follow at most
--         13 '': whatever the name to spare leads to; 'found': a session or its end must be there; 'rotated': and a forward
-- Returns {revoked, score, name, names, spared, forgotten}: the last entry seen, '' and '' when that was all; all in the
--         chunk that are dead now, 16 bytes each; the name spared, which is another when that session was rotated; 0 if
--         the answers about the user have still to be forgotten, else 1. {-1}: what was to be there is not; {-2}: the one to
--         spare was rotated, and its grace is over; nothing was done
-- Cost    O(log n) and 2 commands for each of the entries seen, at most a chunk, 3 by class; one for each forward followed
--         and for the answers about the user
-- Again   Entries of those that this call has ended stay in the index until a list or a create meets them, so a second
--         run, after a first whose answer was lost, finds them and tells their names and number again. Entries of those
--         that had ended before leave it, so that a call that comes after one that did not get to the end gets further.
local index, prefix, lives, spared = KEYS[1], ARGV[1], tonumber(ARGV[3]), ARGV[4]

-- include rank_after

-- include redis_time

-- include deadline_of

-- Those to end. They are written together, when all are known: one MSET and a PEXPIREAT each take Redis two thirds of the
-- time of as many SETs with an expiry.
local buried, keys, values = 0, {}, {}

-- When a tombstone goes: after its time to live, but not past the session's deadline. Entries are in the order of their
-- deadlines: where the first of the chunk is not near, none is, and no other's is asked for, which costs more than all else.
-- Text stays text: numbers are printed for each command.
local is_near, earlier = nil, {}
local function moment_in(left) return string.format('%.0f', math.floor(now / 1000) + left) end
local latest = moment_in(lives)
local function left_of(name) return deadline_of(name) * 1000 - ARGV[9] end

local function bury(key, name)
	buried = buried + 1
	keys[buried] = key
	values[2 * buried - 1], values[2 * buried] = key, ARGV[2]
	if is_near == nil then is_near = left_of(name) < lives end
	if is_near then earlier[buried] = moment_in(math.max(math.min(lives, left_of(name)), 1)) end
end

-- unpack has room for some 7,000: for chunks of 3,500.
local function write()
	if buried > 0 then redis.call('MSET', unpack(values)) end
	for i = 1, buried do redis.call('PEXPIREAT', keys[i], earlier[i] or latest) end
end

-- For sessions that are not here, but will be brought back: session_restore looks at it. While a cluster moves the
-- slot, keys that its old node does not have cannot be touched there. Were the mark one of KEYS, the whole logout would
-- be refused until all is moved, for most users have none; so it goes without.
local function keep_in_mind()
	local logouts, scope = 'lk1:r' .. index:sub(6), ARGV[5] .. spared
	local kept = redis.pcall('HGET', logouts, scope)
	if type(kept) == 'table' then return end
	if not kept and redis.call('HLEN', logouts) >= tonumber(ARGV[10]) then return end
	-- A second run may come after a later logout, and clocks differ: the latest is kept.
	if not kept or struct.unpack('>I8', kept, 3) < struct.unpack('>I8', ARGV[2], 3) then
		redis.call('HSET', logouts, scope, ARGV[2])
	end
	redis.call('PEXPIRE', logouts, math.max(lives, redis.call('PTTL', logouts)))
end

-- With each chunk: what was loaded in between may tell of a session that lived until this one. See auth_lookup. While a
-- cluster moves the slot the epoch may be elsewhere already; then it takes a command of its own.
local function forget_answers()
	local epoch = 'lk1:f' .. index:sub(6)
	local gone = redis.pcall('DEL', epoch)
	if gone == 1 then redis.pcall('PUBLISH', 'lk1:e', '\4\2' .. epoch) end
	return type(gone) == 'number' and 1 or 0
end

-- What is spared is the session that lives. Its key need not be there, and while a cluster moves the slot such a one
-- cannot be touched. nil: the token was shown after its grace, and stands for nothing.
local function follow(name)
	for hop = 0, tonumber(ARGV[12]) do
		local head = name ~= '' and redis.pcall('GETRANGE', prefix .. name, 0, 34)
		if type(head) ~= 'string' or head:byte(1) ~= 3 or #head < 35 then break end
		local is_shown = hop == 0 and ARGV[7] == ''
		if is_shown and struct.unpack('>I6', head, 10) <= tonumber(ARGV[9]) then return nil end
		name = head:sub(20, 35)
	end
	return name
end

-- Whether what is to be spared is not here, or not known by the name that it has by now.
local function is_missing(name)
	if ARGV[13] == '' or name == '' then return false end
	local head = redis.pcall('GETRANGE', prefix .. name, 0, 0)
	return head == '' or ARGV[13] == 'rotated' and name == ARGV[4] and head == '\1'
end

spared = follow(spared)
if not spared then return {-2} end
if is_missing(spared) then return {-1} end
local chunk = tonumber(ARGV[6])
local start = rank_after(ARGV[7], ARGV[8])
local entries = redis.call('ZRANGE', index, start, start + chunk - 1)
local last = entries[chunk]
local last_score = last and redis.call('ZSCORE', index, last)
local revoked, ended = 0, {}

local function take(name)
	local key = prefix .. name
	local format = redis.call('GETRANGE', key, '0', '0')
	if format == '' or format == '\3' then return redis.call('ZREM', index, name) end
	if name == spared then return end
	if format == '\1' and ARGV[5] ~= '' and redis.call('GETRANGE', key, '27', '28') ~= ARGV[5] then return end
	ended[#ended + 1] = name
	if format ~= '\2' then
		bury(key, name)
	elseif redis.call('GETRANGE', key, '0', '9') ~= ARGV[2] then
		-- Not by this call.
		return redis.call('ZREM', index, name)
	end
	revoked = revoked + 1
end

for _, name in ipairs(entries) do take(name) end
write()
local names = table.concat(ended)
if ARGV[7] == '' then keep_in_mind() end
if names ~= '' then
	-- An ACL without the channel must not undo what is done.
	redis.pcall('PUBLISH', 'lk1:e', ARGV[11] .. names)
end
local forgotten = forget_answers()
if not last then return {revoked, '', '', names, spared, forgotten} end
return {revoked, last_score, last, names, spared, forgotten}
