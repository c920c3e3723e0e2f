#!lua
-- Stores a new session, enters it in its user's index and makes room at the cap, all of it or nothing.
-- KEYS    1 session  2 index  [3 idempotency]
-- ARGV    1 record  2 its time to live, ms  3 absolute deadline, ms  4 now, ms  5 name  6 cap  7 evict or refuse
--         8 tombstone  9 tombstone's time to live, ms  10 prefix of the user's session keys
--         [11 time to remember the answer, ms  12 answer]
-- Returns {'ok', names evicted...}, {'full'}, {'taken'} or {'replay', answer remembered, with the names}
-- Cost    O(log n); at the cap one GETRANGE for each of the n entries, n at most the cap
local session, index, memory = KEYS[1], KEYS[2], KEYS[3]
local now, cap, prefix = tonumber(ARGV[4]), tonumber(ARGV[6]), ARGV[10]

-- The living, oldest first; entries of the dead leave the index.
local function living()
	local found = {}
	for _, name in ipairs(redis.call('ZRANGE', index, 0, -1)) do
		local head = redis.call('GETRANGE', prefix .. name, 0, 26)
		local format = head:byte(1)
		if format == nil or format == 2 then
			redis.call('ZREM', index, name)
		elseif format == 1 and #head == 27 then
			found[#found + 1] = {name = name, created = struct.unpack('>I8', head, 20)}
		else
			-- Another version's: it counts, and is the last to go.
			found[#found + 1] = {name = name, created = math.huge}
		end
	end
	table.sort(found, function(a, b)
		if a.created ~= b.created then return a.created < b.created end
		return a.name < b.name
	end)
	return found
end

local function bury(name)
	local key, lives = prefix .. name, tonumber(ARGV[9])
	local left = redis.call('PTTL', key)
	if left >= 0 and left < lives then lives = left end
	redis.call('SET', key, ARGV[8], 'PX', math.max(lives, 1))
	redis.call('ZREM', index, name)
end

if memory then
	local remembered = redis.call('GET', memory)
	if remembered then return {'replay', remembered} end
end
if redis.call('EXISTS', session) == 1 then return {'taken'} end

redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
local answer = {'ok'}
if redis.call('ZCARD', index) >= cap then
	local found = living()
	local surplus = #found - cap + 1
	if surplus > 0 and ARGV[7] == 'refuse' then return {'full'} end
	for i = 1, surplus do
		bury(found[i].name)
		answer[i + 1] = found[i].name
	end
end

redis.call('SET', session, ARGV[1], 'PX', ARGV[2])
-- The index lives as long as the longest of its sessions may.
local left, wanted = redis.call('PTTL', index), tonumber(ARGV[3]) - now
redis.call('ZADD', index, ARGV[3], ARGV[5])
if left == -2 or (left >= 0 and left < wanted) then redis.call('PEXPIRE', index, wanted) end
if memory then redis.call('SET', memory, ARGV[12] .. table.concat(answer, '', 2), 'PX', ARGV[11]) end
return answer
