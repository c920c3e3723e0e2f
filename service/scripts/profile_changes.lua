#!lua
-- Hands out changes of a realm's profiles that a group has not acknowledged: first what was handed out too long ago, then
-- what is new. What was handed out too often goes to the group's dead.
-- KEYS    1 stream  2 the group's dead  3 memory of this call
-- ARGV    1 group  2 consumer  3 changes max  4 ms after which one is handed out again  5 deliveries max
--         6 time to remember the call, ms  7 the dead at most, about  8 groups max  9 consumers of a group max  10 bytes max
--         11 unacknowledged of a group max: then nothing new is handed out
-- Returns {'ok', died, behind, id, change, deliveries, ...}, {'groups'} or {'consumers'}: there are too many
-- Cost    O(changes max), and 0.1 us for each that is unacknowledged: Redis looks at all for those that are late
-- Again   A second run, after a first whose answer was lost, finds what the first handed out, and hands out the same.
local stream, dead, memory = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, max, bytes_max = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[10])
-- The largest change: the bytes of a profile, and around each field 16 more.
local LARGEST = 38000
local answer, ids, bytes, died = {}, {}, 0, 0

local function hand_out(id, change, deliveries)
	ids[#ids + 1] = id
	bytes = bytes + #change
	answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = id, change, deliveries
end

-- How many may be read at once, not knowing how large they are; 0: no more.
local function room()
	if bytes >= bytes_max then return 0 end
	return math.min(max - #ids, math.max(1, math.floor((bytes_max - bytes) / LARGEST)))
end

-- The change at this id; nil: it was trimmed.
local function read(id)
	local found = redis.call('XRANGE', stream, id, id)[1]
	return found and found[2][2]
end

-- How many wait for the group, its number among how many, and how many it has not acknowledged; nil: there is no such
-- group.
local function find_group()
	if redis.call('EXISTS', stream) == 0 then return nil, 0, 0 end
	local groups = redis.call('XINFO', 'GROUPS', stream)
	for _, one in ipairs(groups) do
		local facts = {}
		for i = 1, #one, 2 do facts[one[i]] = one[i + 1] end
		if facts.name == group then return facts.lag or redis.call('XLEN', stream), #groups, facts.pending end
	end
	return nil, #groups, 0
end

local function go_to(found) return {'ok', died, (find_group()) or 0, unpack(found)} end

local remembered = redis.call('GET', memory)
if remembered then
	died = tonumber(remembered:match('^%d+'))
	for id in remembered:gmatch('%d+%-%d+') do
		local pending = redis.call('XPENDING', stream, group, id, id, 1)[1]
		local change = pending and read(id)
		if change then hand_out(id, change, pending[4]) end
	end
	return go_to(answer)
end

local behind, groups, pending = find_group()
if not behind then
	if groups >= tonumber(ARGV[8]) then return {'groups'} end
	redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
end

-- Consumers that hold nothing make room for new ones.
local function has_room()
	local all = redis.call('XINFO', 'CONSUMERS', stream, group)
	local count = #all
	if count < tonumber(ARGV[9]) then return true end
	for _, one in ipairs(all) do
		if one[2] == consumer then return true end
		if one[4] == 0 then
			redis.call('XGROUP', 'DELCONSUMER', stream, group, one[2])
			count = count - 1
		end
	end
	return count < tonumber(ARGV[9])
end
if not has_room() then return {'consumers'} end

local function bury(id, deliveries)
	local change = read(id)
	if change then
		redis.call('XADD', dead, 'MAXLEN', '~', ARGV[7], '*', 'e', change, 'n', deliveries)
		died = died + 1
	end
	redis.call('XACK', stream, group, id)
end

local late, deliveries = {}, {}
for _, one in ipairs(redis.call('XPENDING', stream, group, 'IDLE', ARGV[4], '-', '+', max)) do
	if one[4] >= tonumber(ARGV[5]) then
		bury(one[1], one[4])
	else
		late[#late + 1], deliveries[one[1]] = one[1], one[4]
	end
end
local at = 1
while at <= #late and room() > 0 do
	local last = math.min(at + room() - 1, #late)
	-- Those that were trimmed are left out, and the group forgets them.
	for _, one in ipairs(redis.call('XCLAIM', stream, group, consumer, 0, unpack(late, at, last))) do
		if one then hand_out(one[1], one[2][2], deliveries[one[1]] + 1) end
	end
	at = last + 1
end
local new_max = tonumber(ARGV[11]) - pending + died
while math.min(room(), new_max) > 0 do
	local count = math.min(room(), new_max)
	local found = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, '>')
	if not found then break end
	for _, one in ipairs(found[1][2]) do hand_out(one[1], one[2][2], 1) end
	if #found[1][2] < count then break end
	new_max = new_max - count
end
-- An empty answer may as well be another the next time.
if #ids > 0 or died > 0 then
	redis.call('SET', memory, died .. ';' .. table.concat(ids, ','), 'PX', ARGV[6])
end
return go_to(answer)
