#!lua flags=allow-oom
-- Finds an answer, or has somebody load it: at most one at a time.
-- KEYS    1 answer
-- ARGV    1 id of the lease to give, 8 bytes  2 how long it lasts, ms  3 epoch to begin if the subject
--         has none, 8 bytes  4 what an epoch lives, ms  5 how early to refresh: millionths of the time that loading took
--         6 beginning of an answer's body that is dead; '': none  7 '1': the caller would wait
-- Returns {'hit', value, ''}, {'stale', value, epoch, 1 if before its time, else 0}, {'miss', epoch}: with an epoch the
--         lease is the caller's; {'wait', left of another's lease, ms}
-- Cost    O(1) and 2 commands; up to 5 when a lease is given
-- Again   A lease of this id that was given before is given again.
--
-- The value: format 1, '\1' if somebody waits, lease's id (8 bytes; zeros: none), its end and its beginning, fresh until,
-- stale until (ms, 8 bytes each), time that loading took (ms, 4), epoch (8); and the body, which is the service's: none
-- as long as there is only a lease.
local answer, lease, lasts = KEYS[1], ARGV[1], tonumber(ARGV[2])
local HEAD, NONE = 54, '\0\0\0\0\0\0\0\0'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- include auth_found

local epoch_key = 'lk1:f:' .. answer:sub(7, 19)
local value, epoch, instead = find(answer, epoch_key)
if instead then return instead end
local id, ends, given, fresh, stale, took = NONE, 0, 0, 0, 0, 0
if value then
	id = value:sub(3, 10)
	ends, given, fresh, stale, took = struct.unpack('>I8I8I8I8I4', value, 11)
end
local is_there = value and #value > HEAD and stale > now and
	(ARGV[6] == '' or value:sub(HEAD + 1, HEAD + #ARGV[6]) ~= ARGV[6])
local is_leased = id ~= NONE and id ~= lease and ends > now

local function give()
	if id == lease and ends > now then return end
	if not epoch then
		epoch = ARGV[3]
		redis.call('SET', epoch_key, epoch, 'PX', ARGV[4])
	elseif redis.call('PTTL', epoch_key) < tonumber(ARGV[4]) / 2 then
		redis.call('PEXPIRE', epoch_key, ARGV[4])
	end
	local times = struct.pack('>I8I8', now + lasts, now)
	if is_there then
		redis.call('SETRANGE', answer, 1, '\0' .. lease .. times)
		if stale - now < lasts then redis.call('PEXPIRE', answer, lasts) end
		return
	end
	-- Kept for longer than the lease: what comes late, when nobody else has begun, is as good.
	redis.call('SET', answer, '\1\0' .. lease .. times .. ('\0'):rep(20) .. epoch, 'PX', 2 * lasts)
end

if is_there then
	local is_early = fresh > now
	if is_leased or is_early and now + took * tonumber(ARGV[5]) / 1000000 < fresh then
		return {is_early and 'hit' or 'stale', value, '', 0}
	end
	give()
	return {'stale', value, epoch, is_early and 1 or 0}
end
if is_leased then
	if ARGV[7] == '1' and value:byte(2) ~= 1 then redis.call('SETRANGE', answer, 1, '\1') end
	return {'wait', ends - now}
end
give()
return {'miss', epoch}
