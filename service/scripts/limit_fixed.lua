#!lua
-- Takes from a limit that holds in a span which begins with the first that is granted.
-- KEYS    1 limit  [2 idempotency]
-- ARGV    1 limit  2 period, us  3 unused  4 cost, 0: look whether one would be granted  [5 time to remember, ms]
-- Returns as limit_gcra
-- Cost    O(1)
-- Again   A second run takes a second time, unless an idempotency key tells it of the first.
local key, memory = KEYS[1], KEYS[2]
local limit, period, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])

-- include redis_time
-- include limit_answer

local before = remembered()
if before then return before end

local start, count = now, 0

local function store()
	redis.call('SET', key, string.format('%.0f:%.0f', start, count), 'PX', time_to_live(start + period - now))
end

local state = redis.call('GET', key)
if state then
	local at, taken = state:match('^(%d+):(%d+)$')
	at, taken = tonumber(at), tonumber(taken)
	if at + period > now then start, count = at, taken end
	-- Another server's clock was ahead: the span begins now, unless somebody only looks.
	if start > now then
		start = now
		if cost > 0 then store() end
	end
end

local remaining = math.max(0, limit - count)
local reset = count > 0 and start + period - now or 0
local wanted = math.max(cost, 1)
if remaining < wanted then return refused(remaining, reset, reset) end
if cost > 0 then
	count = count + cost
	store()
end
return granted(remaining - cost, count > 0 and start + period - now or 0)
