-- What was granted under an idempotency key is told again, and not taken again. What was refused took nothing.
local asked = memory and table.concat(ARGV, ' ', 1, 4)

local function remembered()
	local before = memory and redis.call('GET', memory)
	if not before then return nil end
	if before:sub(1, #asked + 1) ~= asked .. ':' then return {'other'} end
	local remaining, reset = before:match('^(%d+) (%d+)$', #asked + 2)
	return {'ok', 1, tonumber(remaining), 0, tonumber(reset)}
end

local function to_ms(us) return math.ceil(us / 1000) end

-- Redis counts milliseconds, and takes one that has begun for over.
local function time_to_live(us) return string.format('%.0f', to_ms(us) + 1) end

local function granted(remaining, reset)
	if memory and cost > 0 then
		redis.call('SET', memory, string.format('%s:%.0f %.0f', asked, remaining, to_ms(reset)), 'PX', ARGV[5])
	end
	return {'ok', 1, remaining, 0, to_ms(reset)}
end

local function refused(remaining, retry, reset) return {'ok', 0, remaining, to_ms(retry), to_ms(reset)} end
