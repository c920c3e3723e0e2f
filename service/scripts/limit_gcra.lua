#!lua
-- Takes from a limit by the generic cell rate algorithm (ITU-T I.371), which is a token bucket seen from the other side.
-- One costs period / limit; what was taken is paid off at the time that is stored, and no more than `burst` may be owed.
-- KEYS    1 limit  [2 idempotency]
-- ARGV    1 limit  2 period, us  3 burst  4 cost, 0: look whether one would be granted  [5 time to remember, ms]
-- Returns {'ok', 1 granted or 0, remaining, retry after ms, reset after ms}, or {'other'}: the idempotency key was used
--         for another request
-- Cost    O(1)
-- Again   A second run takes a second time, unless an idempotency key tells it of the first.
local key, memory = KEYS[1], KEYS[2]
local limit, period, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- include redis_time
-- include limit_answer

local before = remembered()
if before then return before end

-- A time is whole microseconds and `part` of `limit` parts of one: so nothing is ever rounded.
local whole, part = math.floor(period / limit), period % limit

local function price(n)
	local parts = n * part
	return n * whole + math.floor(parts / limit), parts % limit
end

local owed, owed_part = 0, 0
local most, most_part = price(burst)

local function store()
	redis.call('SET', key, string.format('%.0f:%.0f:%.0f', now + owed, owed_part, limit), 'PX', time_to_live(owed))
end

local state = redis.call('GET', key)
if state then
	local at, at_part, parts = state:match('^(%d+):(%d+):(%d+)$')
	at, at_part, parts = tonumber(at), tonumber(at_part), tonumber(parts)
	if at >= now then
		owed, owed_part = at - now, parts == limit and at_part or math.floor(at_part * limit / parts)
	end
	-- Another server's clock was ahead, or the limit was changed: more than all is not owed. Who only looks, perhaps at
	-- another limit, changes nothing.
	if owed > most or owed == most and owed_part > most_part then
		owed, owed_part = most, most_part
		if cost > 0 then store() end
	end
end

local room, room_part = most - owed, most_part - owed_part
if room_part < 0 then room, room_part = room - 1, room_part + limit end

local function fits(n)
	local us, parts = price(n)
	return us < room or us == room and parts <= room_part
end

-- A quotient of doubles may be off by one.
local remaining = math.min(burst, math.floor((room * limit + room_part) / period))
while remaining > 0 and not fits(remaining) do remaining = remaining - 1 end
while remaining < burst and fits(remaining + 1) do remaining = remaining + 1 end

local wanted = math.max(cost, 1)
local us, parts = price(wanted)
if remaining < wanted then
	local wait, wait_part = us - room, parts - room_part
	return refused(remaining, wait + (wait_part > 0 and 1 or 0), owed + (owed_part > 0 and 1 or 0))
end
if cost > 0 then
	owed, owed_part = owed + us, owed_part + parts
	if owed_part >= limit then owed, owed_part = owed + 1, owed_part - limit end
	store()
end
return granted(remaining - cost, owed + (owed_part > 0 and 1 or 0))
