#!lua flags=allow-oom
-- Holds a chunk of a user's index against the sessions, and repairs the index. Touches no session.
-- KEYS    1 index; besides it the user's sessions
-- ARGV    1 prefix of the user's session keys  2 now, ms  3 chunk  4 score and 5 name of the last entry seen before;
--         '': start  6 names of sessions that must have an entry, 16 bytes each; looked at when a chunk is the first
--         7 the realm's not-before, ms: who was created earlier is dead
-- Returns {score, name, of the last entry seen ('' and '' when that was all), alive, dangling, wrong score, missing}; what
--         a tombstone or the realm's revocation has ended leaves the index uncounted, for that is how it goes
-- Cost    O(log n) and 2 commands for each of the entries seen and the names
-- Again   A second run finds repaired what the first has repaired, and does not count it: what was counted of a first
--         whose answer was lost is in nobody's answer.
local index, prefix, now = KEYS[1], ARGV[1], tonumber(ARGV[2])
local alive, dangling, wrong, missing = 0, 0, 0, 0

-- include rank_after

-- Whether a session lives there, and its deadline, nil where this version cannot tell; or whether one has been ended.
local function session_of(name)
	local head = redis.call('GETRANGE', prefix .. name, 0, 54)
	local format = head:byte(1)
	-- Of a tombstone, or a forward from a rotated session to its successor, there is nothing to list.
	if format == nil or format == 3 then return false end
	if format == 2 then return false, nil, true end
	if format ~= 1 or #head < 55 then return true end
	if struct.unpack('>I6', head, 4) < tonumber(ARGV[7]) then return false, nil, true end
	return true, math.floor(struct.unpack('>I6', head, 4) / 1000) + struct.unpack('>I4', head, 16)
end

-- Only of the living: a session that has ended since it was asked for stays off the index.
local function enter(name)
	local lives, deadline = session_of(name)
	if not lives or not deadline or redis.call('ZSCORE', index, name) then return end
	redis.call('ZADD', index, string.format('%.0f', deadline), name)
	missing = missing + 1
end

-- Whether an entry that moved there will be met by a later chunk.
local function comes_later(deadline, name, last_score, last_name)
	if deadline ~= last_score then return deadline > last_score end
	return comes_after(name, last_name)
end

local function check(name, score, last_score, last_name)
	local lives, deadline, has_ended = session_of(name)
	if not lives then
		redis.call('ZREM', index, name)
		if not has_ended then dangling = dangling + 1 end
		return
	end
	if deadline and deadline ~= math.floor(score) then
		redis.call('ZADD', index, string.format('%.0f', deadline), name)
		wrong = wrong + 1
		if last_score and comes_later(deadline, name, last_score, last_name) then return end
	end
	alive = alive + 1
end

local age = redis.call('PTTL', index)
if ARGV[4] == '' then
	for at = 1, #ARGV[6], 16 do enter(ARGV[6]:sub(at, at + 15)) end
end
local chunk = tonumber(ARGV[3])
local start = rank_after(ARGV[4], ARGV[5])
local entries = redis.call('ZRANGE', index, start, start + chunk - 1, 'WITHSCORES')
local is_last = #entries < 2 * chunk
local last_score, last_name = nil, nil
if not is_last then last_score, last_name = tonumber(entries[#entries]), entries[#entries - 1] end
for i = 1, #entries, 2 do check(entries[i], tonumber(entries[i + 1]), last_score, last_name) end

-- The index lives as long as the longest of its sessions may. One that was gone has no time to live yet.
local longest = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')[2]
local wanted = longest and math.max(math.floor(longest) * 1000 - now, 1)
if wanted and (age == -2 or (age >= 0 and age < wanted)) then redis.call('PEXPIRE', index, wanted) end
if is_last then return {'', '', alive, dangling, wrong, missing} end
return {entries[#entries], last_name, alive, dangling, wrong, missing}
