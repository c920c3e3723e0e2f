#!lua flags=allow-oom
-- A token was shown after the grace in which it stood for its successor: whatever came of it ends, also when Redis is
-- full. Only what lives at the end of the chain is written to: forwards lead to its tombstone from now on, and a second
-- run finds its way again.
-- KEYS    1 session  2 index  [3 idempotency]
-- ARGV    1 name  2 tombstone  3 its time to live, ms  4 prefix of the user's session keys  5 now, ms
--         6 head of the announcement  7 forwards to follow at most
-- Returns {'reuse', names of all of the lineage, 16 bytes each}; {'dead', tombstone}: it had ended; {'gone'}: nothing
--         lives at its end; {'replay', fingerprint, forward}: a rotation is asked for again; {'changed'}: there is no
--         forward any more whose grace is over
-- Cost    O(log n), and 2 commands for each forward
-- Again   A second run, after a first whose answer was lost, finds its own tombstone and tells the same names.
local session, index, memory = KEYS[1], KEYS[2], KEYS[3]
local tombstone, lives, prefix = ARGV[2], ARGV[3], ARGV[4]

local function is_forward(value) return value:byte(1) == 3 and #value >= 35 end

local start = redis.call('GET', session)
if not start then return {'gone'} end
if start:byte(1) == 2 then return {'dead', start} end
if not is_forward(start) then return {'changed'} end
local remembered = memory and redis.call('GET', memory)
if remembered then return {'replay', remembered, start} end
if struct.unpack('>I6', start, 10) > tonumber(ARGV[5]) then return {'changed'} end

local names, head = {ARGV[1]}, start
while is_forward(head) and #names <= tonumber(ARGV[7]) do
	names[#names + 1] = head:sub(20, 35)
	head = redis.call('GETRANGE', prefix .. names[#names], 0, 34)
end
local last = names[#names]
if head == '' or is_forward(head) then return {'gone'} end
if head ~= tombstone then
	if head:byte(1) == 2 then
		-- What ended it is told without a walk the next time.
		redis.call('SET', session, head, 'PX', math.max(redis.call('PTTL', prefix .. last), 1))
		return {'dead', head}
	end
	redis.call('SET', prefix .. last, tombstone, 'PX', lives)
	redis.call('ZREM', index, last)
	-- An ACL without the channel must not undo what is done.
	redis.pcall('PUBLISH', 'lk1:e', ARGV[6] .. table.concat(names))
end
for i = 1, #names - 1 do redis.call('PEXPIRE', prefix .. names[i], lives, 'LT') end
return {'reuse', table.concat(names)}
