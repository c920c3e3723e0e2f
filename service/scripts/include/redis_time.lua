-- Microseconds since 1970, by the clock of this server: no caller's decides. Exact to the year 2255.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
