#!lua flags=allow-oom
-- Brings a lock back as it was acknowledged before another primary took over. The greater number was given later; of one
-- number, a release came last, and before it the later end: so the order of these runs does not matter.
-- KEYS    1 lock
-- ARGV    1 owner, hashed  2 fencing number  3 ends at, ms; 0: it was released
-- Returns 'done' or 'there'
-- Cost    O(1)
-- Again   A second run changes nothing.
-- include redis_time
-- include lock_state

local wanted, wanted_end = tonumber(ARGV[2]), tonumber(ARGV[3])
local number, ends = read_lock()
if number > wanted or number == wanted and (ends == 0 or wanted_end ~= 0 and ends >= wanted_end) then return 'there' end
write_lock(wanted, wanted_end, ARGV[1])
return 'done'
