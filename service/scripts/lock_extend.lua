#!lua flags=allow-oom
-- Moves the end of a lock that its owner holds; also when Redis is full, for it takes no more room.
-- KEYS    1 lock
-- ARGV    1 owner, hashed  2 time to live from now, ms
-- Returns {'ok', fencing number, ends at ms} or {'not'}: it has ended, or another holds it
-- Cost    O(1)
-- Again   A second run moves it again, by the moment that lies between them.
-- include redis_time
-- include lock_state

local number, ends, owner = read_lock()
if ends <= now_ms or owner ~= ARGV[1] then return {'not'} end
ends = now_ms + tonumber(ARGV[2])
write_lock(number, ends, owner)
return {'ok', number, ends}
