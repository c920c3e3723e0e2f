#!lua flags=allow-oom
-- A page of a user's living sessions, by absolute deadline and name; entries of the dead leave the index.
-- KEYS    1 index
-- ARGV    1 prefix of the user's session keys  2 now, ms  3 page size  4 entries to look at, at most
--         5 the realm's not-before, ms: who was created earlier is dead
--         6 score, in 2^20ths, and 7 name of the last entry of the page before; '': start
-- Returns {score, in 2^20ths, and name of the last entry seen ('' and '' when that was all), and for each living session:
--         name, absolute deadline in s, time left in ms, record up to the end of its metadata}
-- Cost    O(log n) and 4 commands for each of the entries looked at
local index, prefix, not_before = KEYS[1], ARGV[1], tonumber(ARGV[5])

-- include rank_after

-- A session's record without its data; nil when it is dead.
local function head_of(key)
	local head = redis.call('GETRANGE', key, 0, 54)
	if head == '' or head:byte(1) == 2 or head:byte(1) == 3 then return nil end
	if head:byte(1) ~= 1 or #head < 55 then return head end
	-- Its token says so by itself; the record stays, and is gone with its idle timeout.
	if struct.unpack('>I6', head, 4) < not_before then return nil end
	return redis.call('GETRANGE', key, 0, 54 + struct.unpack('>I2', head, 35))
end

redis.call('ZREMRANGEBYSCORE', index, '-inf', math.floor(ARGV[2] / 1000))
local page, looks = tonumber(ARGV[3]), tonumber(ARGV[4])
local rank = rank_after(ARGV[6] ~= '' and string.format('%.17g', ARGV[6] / 2 ^ 20) or '', ARGV[7])
local answer = {'', ''}
local found, looked = 0, 0
while found < page and looked < looks do
	local entries = redis.call('ZRANGE', index, rank, rank + page - found - 1, 'WITHSCORES')
	for i = 1, #entries, 2 do
		local name, score = entries[i], entries[i + 1]
		local head = head_of(prefix .. name)
		looked = looked + 1
		answer[1], answer[2] = string.format('%.0f', score * 2 ^ 20), name
		if head then
			local at = #answer
			answer[at + 1], answer[at + 2] = name, string.format('%.0f', math.floor(score))
			answer[at + 3], answer[at + 4] = redis.call('PTTL', prefix .. name), head
			found, rank = found + 1, rank + 1
		else
			redis.call('ZREM', index, name)
		end
	end
	if #entries < 2 then break end
end
if redis.call('ZCARD', index) <= rank then answer[1], answer[2] = '', '' end
return answer
