#!lua
-- Takes from a limit that holds in every span of the period, to the microsecond: what was granted is kept for so long. An
-- entry says how much was granted before it and by it, so that what is in force is a difference of two entries.
-- KEYS    1 limit  [2 idempotency]
-- ARGV    1 limit  2 period, us  3 unused  4 cost, 0: look whether one would be granted  [5 time to remember, ms]
-- Returns as limit_gcra
-- Cost    O(log n) of n grants in a period, and 100 that are over are dropped at most
-- Again   A second run takes a second time, unless an idempotency key tells it of the first.
local key, memory = KEYS[1], KEYS[2]
local limit, period, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local DROPPED_MAX = 100

-- include redis_time
-- include limit_answer

local before = remembered()
if before then return before end

local function entry(rank)
	local found = redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')
	local granted_before, granted_by = found[1]:match('^(%d+):(%d+)$')
	return tonumber(granted_before), tonumber(granted_by), tonumber(found[2])
end

local function us_text(us) return string.format('%.0f', us) end

local count = redis.call('ZCARD', key)
local total, last_at = 0, now
if count > 0 then
	local granted_before, granted_by, at = entry(count - 1)
	total, last_at = granted_before + granted_by, at
end
-- All is over; or another server's clock was so far ahead that all would have to wait for it. Who only looks, perhaps at
-- another period, changes nothing.
if count > 0 and (last_at + period <= now or last_at - period > now) then
	if cost > 0 then redis.call('UNLINK', key) end
	count, total, last_at = 0, 0, now
end

local over = count > 0 and redis.call('ZCOUNT', key, '-inf', us_text(now - period)) or 0
local since = count > 0 and entry(over) or total
local used = total - since
local remaining = math.max(0, limit - used)
local reset = count > 0 and last_at + period - now or 0
local wanted = math.max(cost, 1)

-- When enough will be over.
local function retry()
	local low, high = over, count - 1
	while low < high do
		local middle = math.floor((low + high) / 2)
		local granted_before, granted_by = entry(middle)
		if granted_before + granted_by - since >= used + wanted - limit then
			high = middle
		else
			low = middle + 1
		end
	end
	local _, _, at = entry(low)
	return at + period - now
end

if remaining < wanted then return refused(remaining, retry(), reset) end
if cost == 0 then return granted(remaining, reset) end

-- Entries are in the order of their times, and among equal ones of their totals: a clock that went back is waited for.
local at = math.max(now, last_at)
redis.call('ZADD', key, us_text(at), string.format('%016.0f:%.0f', total, cost))
if over > 0 then redis.call('ZREMRANGEBYRANK', key, 0, math.min(over, DROPPED_MAX) - 1) end
redis.call('PEXPIRE', key, time_to_live(at + period - now))
return granted(remaining - cost, at + period - now)
