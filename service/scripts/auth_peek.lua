#!lua flags=no-writes
-- Finds an answer, for whoever only looks, or where Redis takes no writes.
-- KEYS    1 answer
-- Returns as auth_lookup, without a lease: {'hit' or 'stale', value, '', 0} or {'miss', ''}
-- Cost    O(1) and 2 commands
local answer, HEAD = KEYS[1], 54
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- include auth_found

local value, _, instead = find(answer, 'lk1:f:' .. answer:sub(7, 19))
if instead then return instead end
if not value or #value <= HEAD then return {'miss', ''} end
local fresh, stale = struct.unpack('>I8I8', value, 27)
if stale <= now then return {'miss', ''} end
return {fresh > now and 'hit' or 'stale', value, '', 0}
