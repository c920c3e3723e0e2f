#!lua flags=allow-oom
-- Forgets an answer with its lease, or, with their epoch, all of a subject's or a group's.
-- KEYS    1 answer or epoch
-- ARGV    1 of an answer: what tells this call from others, 8 bytes; '': no more is asked than that it is gone
--         2 how long the tombstone of an answer lives, ms
-- Returns {1 if there was an answer, else 0}; with '' 'done' or 'there'
-- Cost    O(1) and 2 commands; 3 when there was something
-- Again   An answer's tombstone tells a second run what the first one found. An epoch begun between two runs ends with
--         the second: what is of it is loaded once more.
local key = KEYS[1]

-- An ACL without the channel must not undo what is done.
local function tell() redis.pcall('PUBLISH', 'lk1:e', '\4\2' .. key) end

if ARGV[1] == '' then
	if redis.call('DEL', key) == 0 then return 'there' end
	tell()
	return 'done'
end
local value = redis.call('GET', key)
if not value then return {0} end
if value:byte(1) == 2 then return {value:sub(2, 9) == ARGV[1] and value:byte(10) or 0} end
local had = #value > 54 and 1 or 0
redis.call('SET', key, '\2' .. ARGV[1] .. string.char(had), 'PX', ARGV[2])
tell()
return {had}
