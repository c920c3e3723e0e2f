#!lua
-- Replaces a session by its successor, the same session under another id: a forward takes the record's place.
-- KEYS    1 session  2 successor  3 index  [4 idempotency]
-- ARGV    1 version of the record that was read, and 2 the 16 bytes that it ends with  3 successor's record
--         4 its time to live, ms  5 absolute deadline, s  6 now, ms  7 name  8 successor's name  9 forward
--         10 its time to live, ms  11 announcement  12 head of the one for those who watch, or ''
--         [13 time to remember the answer, ms  14 fingerprint]
-- Returns {'ok'}; {'other', value or nil}: not what was read is there now; {'used'}: the idempotency key is, for
--         another request
-- Cost    O(bytes of the record), O(log n)
-- Again   A second run, after a first whose answer was lost, finds its own forward.
local session, successor, index, memory = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local value = redis.call('GET', session)
if value == ARGV[9] then return {'ok'} end

local remembered = memory and redis.call('GET', memory)
if remembered and remembered ~= ARGV[14] then return {'used'} end

-- Versions count in each history; sealed parts, and so their ends, are never the same twice.
local function is_what_was_read()
	if not value or value:byte(1) ~= 1 or #value < 55 then return false end
	return string.format('%.0f', struct.unpack('>I5', value, 30) + value:byte(51)) == ARGV[1] and value:sub(-16) == ARGV[2]
end

if not is_what_was_read() then return {'other', value} end

redis.call('SET', successor, ARGV[3], 'PX', ARGV[4])
redis.call('SET', session, ARGV[9], 'PX', ARGV[10])
-- A score is the absolute deadline, s, and with each rotation a 2^20th more, which a double tells exactly. So a successor's
-- entry comes behind the one that it replaces, and who goes through the index in its order meets the one or the other.
local place = redis.call('ZSCORE', index, ARGV[7]) or ARGV[5]
redis.call('ZREM', index, ARGV[7])
-- The index lives as long as the longest of its sessions may.
local left, wanted = redis.call('PTTL', index), ARGV[5] * 1000 - ARGV[6]
redis.call('ZADD', index, string.format('%.17g', place + 2 ^ -20), ARGV[8])
if left == -2 or (left >= 0 and left < wanted) then redis.call('PEXPIRE', index, wanted) end
if memory then redis.call('SET', memory, ARGV[14], 'PX', ARGV[13]) end
-- An ACL without the channel must not undo what is done.
redis.pcall('PUBLISH', 'lk1:e', ARGV[11])
if ARGV[12] ~= '' then redis.pcall('PUBLISH', 'lk1:e', ARGV[12] .. ARGV[7] .. ARGV[8]) end
return {'ok'}
