#!lua flags=allow-oom
-- Ends a session: a tombstone takes the record's place, also when Redis is full. Of one that was rotated the session
-- that came of it ends: its forwards lead to the tombstone from now on, and a second run finds its way again.
-- KEYS    1 session  2 index
-- ARGV    1 name  2 tombstone  3 its time to live at most, ms  4 token or handle  5 realm tag, 4 bytes  6 now, ms
--         7 head of the announcement  8 prefix of the user's session keys  9 forwards to follow at most
-- Returns {1 if the session was alive, 0 if it was not, names that are dead now, 16 bytes each}; or {-1}, by handle: the
--         realm has no such session; {-2}: too many forwards
-- Cost    O(log n), and 2 commands for each forward
-- Again   A second run, after a first whose answer was lost, finds its own tombstone: 1, even if nothing was there.
local index, prefix, tombstone, lives = KEYS[2], ARGV[8], ARGV[2], tonumber(ARGV[3])
local names, head = {ARGV[1]}, redis.call('GETRANGE', KEYS[1], 0, 34)

local function is_forward(value) return value:byte(1) == 3 and #value >= 35 end

-- Whoever has a handle only has shown nothing: it must name a living session of the realm, or a forward of it.
local function is_of_realm()
	local format = head:byte(1)
	return format == 1 and head:sub(24, 27) == ARGV[5] or is_forward(head) and head:sub(16, 19) == ARGV[5]
end

if ARGV[4] == 'handle' and head:byte(1) ~= 2 and not is_of_realm() then return {-1} end
while is_forward(head) and #names <= tonumber(ARGV[9]) do
	names[#names + 1] = head:sub(20, 35)
	head = redis.call('GETRANGE', prefix .. names[#names], 0, 34)
end
if is_forward(head) then return {-2} end

local last, all = names[#names], table.concat(names)
if head == tombstone then return {1, all} end
-- include deadline_of

-- A token tells its deadline; of a handle the index does.
local deadline = ARGV[4] == 'handle' and deadline_of(last)
if deadline then lives = math.min(lives, deadline * 1000 - ARGV[6]) end
redis.call('ZREM', index, last)
if head:byte(1) == 2 then return {0, all} end
lives = math.max(lives, 1)
redis.call('SET', prefix .. last, tombstone, 'PX', lives)
for i = 1, #names - 1 do redis.call('PEXPIRE', prefix .. names[i], lives, 'LT') end
-- An ACL without the channel must not undo what is done.
redis.pcall('PUBLISH', 'lk1:e', ARGV[7] .. all)
return {head ~= '' and 1 or 0, all}
