#!lua flags=no-writes
-- Reads a session without sliding its idle timeout.
-- KEYS    1 session
-- Returns {value or nil, time left in ms}
-- Cost    O(1)
return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}
