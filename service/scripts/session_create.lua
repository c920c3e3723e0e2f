#!lua
-- Stores a new session, enters it in its user's index and makes room at the cap, all of it or nothing. At most 200
-- sessions are ended in a call: where a lowered cap asks for more, the next calls end the rest.
-- KEYS    1 session  2 index  [3 idempotency]
-- ARGV    1 record  2 its time to live, ms  3 absolute deadline, s  4 now, ms  5 name  6 cap  7 evict, evict_lru or refuse
--         8 tombstone  9 tombstone's time to live, ms  10 prefix of the user's session keys  11 class tag, 2 bytes
--         12 head of the announcement of the evicted  13 the created one's, whole, or ''
--         14 the realm's not-before, ms: who was created earlier is dead  15 entries to look at: of a longer index the
--         others are taken for living ones of the class
--         [16 time to remember the answer, ms  17 answer]
-- Returns {'ok', names evicted...}, {'full'}, {'taken'} or {'replay', answer remembered, with the names}
-- Cost    O(log n); with as many entries as the cap or more, one GETRANGE for each that is looked at, and with evict_lru a
--         PTTL. Of all of them where a longer index has too many and the dead among them, which are gone then
-- Again   A second run, after a first whose answer was lost, finds its own record, or that this has ended since, and
--         answers as the first did; whom the first evicted it knows with an idempotency key only.
local session, index, memory = KEYS[1], KEYS[2], KEYS[3]
-- A cap that was lowered by much is reached over several calls: five commands each, about 1 ms in all.
local EVICTIONS_MAX = 200
local now, cap, prefix = tonumber(ARGV[4]), tonumber(ARGV[6]), ARGV[10]

-- When a session was used last, seen from now: each use gives the record its idle timeout to live. Where the absolute
-- deadline is nearer than that, the earliest that it can have been.
local function last_used(name, head)
	return redis.call('PTTL', prefix .. name) - struct.unpack('>I4', head, 20) * 1000
end

-- What was found: names of the living of the class, and for each when it was created, and what the eviction goes by
-- first; how many are of other classes, and how many were dead: those have left the index.
local names, created, rank, others, dead

local function look_at(first, last)
	for _, name in ipairs(redis.call('ZRANGE', index, first, last)) do
		local head = redis.call('GETRANGE', prefix .. name, 0, 28)
		local format = head:byte(1)
		if format == nil or format == 2 or format == 3
			or format == 1 and #head == 29 and struct.unpack('>I6', head, 4) < tonumber(ARGV[14]) then
			redis.call('ZREM', index, name)
			dead = dead + 1
		elseif format ~= 1 or #head < 29 then
			-- Another version's counts, and is the last to go.
			names[#names + 1], created[name], rank[name] = name, math.huge, math.huge
		elseif head:sub(28, 29) == ARGV[11] then
			names[#names + 1], created[name] = name, struct.unpack('>I6', head, 4)
			rank[name] = ARGV[7] == 'evict_lru' and last_used(name, head) or created[name]
		else
			others = others + 1
		end
	end
end

-- By how many the class is over its cap with one more, for all that is known.
local function surplus_of(size) return size - others - cap + 1 end

-- Half of the looks go to those that end first, who are the oldest where all have the same lifetime; half to a place
-- that is another each time, so that in the end the dead are found wherever they are. From behind, for places shift.
local function look_here_and_there(size, looks)
	local half = math.floor(looks / 2)
	local place = half + now % (size - 2 * half + 1)
	look_at(place, place + half - 1)
	look_at(0, half - 1)
end

-- The number of sessions that have to go.
local function survey()
	local size, looks = redis.call('ZCARD', index), tonumber(ARGV[15])
	if size < cap then return 0 end
	names, created, rank, others, dead = {}, {}, {}, 0, 0
	if size > looks then
		look_here_and_there(size, looks)
		local surplus = surplus_of(size - dead)
		-- Who is spared must not have been older than who goes: a quarter of those seen, or half of the first.
		local most = math.floor(looks / 4)
		if surplus <= 0 or dead == 0 and #names >= math.min(surplus, most) then return math.min(surplus, most) end
		names, created, rank, others, dead, size = {}, {}, {}, 0, 0, size - dead
	end
	look_at(0, -1)
	return math.min(surplus_of(size - dead), EVICTIONS_MAX)
end

-- Sorts the names, at least `count` of them in front in the order of eviction. One is the rule, and needs no sorting.
local function sort_victims(count)
	local function older(a, b)
		if rank[a] ~= rank[b] then return rank[a] < rank[b] end
		if created[a] ~= created[b] then return created[a] < created[b] end
		return a < b
	end
	if count > 1 then
		table.sort(names, older)
	else
		for i = 2, #names do
			if older(names[i], names[1]) then names[1], names[i] = names[i], names[1] end
		end
	end
end

-- include deadline_of

local function bury(name)
	local left = deadline_of(name) * 1000 - now
	redis.call('SET', prefix .. name, ARGV[8], 'PX', math.max(math.min(tonumber(ARGV[9]), left), 1))
	redis.call('ZREM', index, name)
end

-- An ACL without the channel must not undo what is done.
local function announce(message) redis.pcall('PUBLISH', 'lk1:e', message) end

-- What the first run answered.
local function repeated(remembered)
	local answer = {'ok'}
	if remembered and remembered:sub(1, #ARGV[17]) == ARGV[17] then
		for at = #ARGV[17] + 1, #remembered, 16 do answer[#answer + 1] = remembered:sub(at, at + 15) end
	end
	return answer
end

local stored = redis.call('GET', session)
local remembered = memory and redis.call('GET', memory)
if stored and stored ~= ARGV[1] and stored:byte(1) ~= 2 then return {'taken'} end
if stored then return repeated(remembered) end
if remembered then return {'replay', remembered} end

redis.call('ZREMRANGEBYSCORE', index, '-inf', math.floor(now / 1000))
local answer = {'ok'}
local surplus = survey()
if surplus > 0 and ARGV[7] == 'refuse' then return {'full'} end
if surplus > 0 then sort_victims(surplus) end
for i = 1, surplus do
	bury(names[i])
	answer[i + 1] = names[i]
end

redis.call('SET', session, ARGV[1], 'PX', ARGV[2])
-- The index lives as long as the longest of its sessions may.
local left, wanted = redis.call('PTTL', index), ARGV[3] * 1000 - now
redis.call('ZADD', index, ARGV[3], ARGV[5])
if left == -2 or (left >= 0 and left < wanted) then redis.call('PEXPIRE', index, wanted) end
local evicted = table.concat(answer, '', 2)
if memory then redis.call('SET', memory, ARGV[17] .. evicted, 'PX', ARGV[16]) end
if evicted ~= '' then announce(ARGV[12] .. evicted) end
if ARGV[13] ~= '' then announce(ARGV[13]) end
return answer
