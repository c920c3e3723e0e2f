#!lua flags=allow-oom
-- Ends a lock that its owner holds; also when Redis is full.
-- KEYS    1 lock
-- ARGV    1 owner, hashed
-- Returns {'ok', fencing number} or {'not'}: it had ended, or another holds it
-- Cost    O(1)
-- Again   A second run finds that this owner released it, as long as nobody else has taken it.
-- include redis_time
-- include lock_state

local number, ends, owner = read_lock()
if owner ~= ARGV[1] or ends ~= 0 and ends <= now_ms then return {'not'} end
if ends ~= 0 then write_lock(number, 0, owner) end
return {'ok', number}
