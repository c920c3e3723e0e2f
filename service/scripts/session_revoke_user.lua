#!lua flags=allow-oom
-- Ends a user's sessions, a chunk of them at a time, also when Redis is full; and forgets all answers about the user.
-- KEYS    1 index; besides it the user's sessions, their last logouts everywhere, and the epoch of their answers
-- ARGV    1 prefix of the user's session keys  2 tombstone  3 its time to live, ms  4 name to spare or ''
--         5 class tag, 2 bytes, or '': all  6 chunk  7 score and 8 name of the last entry seen before; '': start
--         9 now, ms  10 most logouts to keep  11 head of the announcement  12 forwards to follow at most
--         13 entries to look at behind the last one seen, at most  14 '': whatever the name to spare leads to; 'found':
--         a session or its end must be there; 'rotated': and a forward
-- Returns {revoked, score, name, names, spared, forgotten}: the last entry seen, '' and '' when that was all; all in the
--         chunk that are dead now, 16 bytes each; the name spared, which is another when that session was rotated; 0 if
--         the answers about the user have still to be forgotten, else 1. {-1}: what was to be there is not, and nothing
--         was done
-- Cost    O(log n) and 2 commands for each of the entries seen, at most a chunk; one for each forward followed, for each
--         entry looked at behind the last one, and for the answers about the user
-- Again   Entries of those that this call has ended stay in the index until a list or a create meets them, so a second
--         run, after a first whose answer was lost, finds them and tells their names and number again. Entries of those
--         that had ended before leave it, so that a call that comes after one that did not get to the end gets further.
local index, prefix, lives, spared = KEYS[1], ARGV[1], tonumber(ARGV[3]), ARGV[4]

-- include rank_after

-- What a tombstone may live. Entries are in the order of their deadlines: where the first of the chunk is not near, none
-- is, and no score is asked for, which costs more than all else. Text stays text: numbers are printed for each command.
local soonest
local function time_to_live(name)
	soonest = soonest or redis.call('ZSCORE', index, name) * 1000 - ARGV[9]
	if soonest >= lives then return ARGV[3] end
	local left = redis.call('ZSCORE', index, name) * 1000 - ARGV[9]
	return math.max(math.min(lives, left), 1)
end

-- Whether this call has ended the session, in an earlier run perhaps.
local function bury(key, head, name)
	if head:sub(1, 10) == ARGV[2] then return 1 end
	if head:byte(1) == 2 then return 0 end
	redis.call('SET', key, ARGV[2], 'PX', time_to_live(name))
	return 1
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
-- cannot be touched.
local function follow(name)
	for _ = 0, tonumber(ARGV[12]) do
		local head = name ~= '' and redis.pcall('GETRANGE', prefix .. name, 0, 34)
		if type(head) ~= 'string' or head:byte(1) ~= 3 or #head < 35 then break end
		name = head:sub(20, 35)
	end
	return name
end

-- Whether what is to be spared is not here, or not known by the name that it has by now.
local function is_missing(name)
	if ARGV[14] == '' or name == '' then return false end
	local head = redis.pcall('GETRANGE', prefix .. name, 0, 0)
	return head == '' or ARGV[14] == 'rotated' and name == ARGV[4] and head == '\1'
end

spared = follow(spared)
if is_missing(spared) then return {-1} end
local chunk = tonumber(ARGV[6])
local start = rank_after(ARGV[7], ARGV[8])
local entries = redis.call('ZRANGE', index, start, start + chunk - 1)
local last = entries[chunk]
local last_score = last and redis.call('ZSCORE', index, last)
local revoked, ended = 0, {}
local function take(name, head)
	local other_class = ARGV[5] ~= '' and head:byte(1) == 1 and head:sub(28, 29) ~= ARGV[5]
	if head == '' or head:byte(1) == 3 then
		redis.call('ZREM', index, name)
	elseif name ~= spared and not other_class then
		local is_ours = bury(prefix .. name, head, name)
		if is_ours == 0 then redis.call('ZREM', index, name) end
		revoked = revoked + is_ours
		ended[#ended + 1] = name
	end
end

-- A rotation since the chunk before may have put a session of the same deadline behind the last one seen. When the last
-- of that deadline has been seen, none of them lives that could be rotated once more.
local function take_moved()
	local first = redis.call('ZCOUNT', index, '-inf', '(' .. ARGV[7])
	if first >= start then return end
	for _, name in ipairs(redis.call('ZRANGE', index, math.max(first, start - tonumber(ARGV[13])), start - 1)) do
		local head = redis.call('GETRANGE', prefix .. name, '0', '28')
		if head:byte(1) ~= 2 then take(name, head) end
	end
end

if ARGV[7] ~= '' and (not last or tonumber(last_score) > tonumber(ARGV[7])) then take_moved() end
for _, name in ipairs(entries) do take(name, redis.call('GETRANGE', prefix .. name, '0', '28')) end
local names = table.concat(ended)
if ARGV[7] == '' then keep_in_mind() end
if names ~= '' then
	-- An ACL without the channel must not undo what is done.
	redis.pcall('PUBLISH', 'lk1:e', ARGV[11] .. names)
end
local forgotten = forget_answers()
if not last then return {revoked, '', '', names, spared, forgotten} end
return {revoked, last_score, last, names, spared, forgotten}
